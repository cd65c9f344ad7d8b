"""What people were told of a release, and by which channels. Pure."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tuneops.message import Delivery, Message
from tuneops.notify.mailbox import Mailbox
from tuneops.page.texts import MAX_NAME, line
from tuneops.release import Release

MAX_MESSAGES = 100
MAX_SHOWN = 300
COMMENT = "A comment on the pull request, to be read there."

Deliveries = Mapping[str, Mapping[str, Delivery]]
"""By the message's key, then by the channel."""


def deliveries(boxes: Mapping[str, Mailbox]) -> Deliveries:
    """How far all messages of a project have come, by its mailboxes."""
    found: dict[str, dict[str, Delivery]] = defaultdict(dict)
    for channel, box in boxes.items():
        for each in box.settled:
            found[each.key][channel] = Delivery(
                attempts=each.attempts,
                sent_at=each.sent_at,
                gave_up=each.sent_at is None,
                error=each.error,
            )
        for letter in box.owed:
            found[letter.key][channel] = Delivery(attempts=letter.attempts, error=letter.error)
    return found


@dataclass(frozen=True)
class Told:
    """A message; `channels` says of each channel how far it has come there."""

    at: datetime
    title: str
    text: str
    severity: str
    channels: Mapping[str, str]


def told(release: Release, deliveries: Deliveries) -> tuple[Told, ...]:
    """The newest messages, newest first; `deliveries` are what is known beside the release."""
    newest = reversed(release.outbox[-MAX_MESSAGES:])
    return tuple(
        _told(each, {**each.deliveries, **deliveries.get(each.key, {})}) for each in newest
    )


def _told(message: Message, deliveries: Mapping[str, Delivery]) -> Told:
    return Told(
        at=message.at,
        title=line(message.title),
        text=COMMENT if message.only else line(message.text, MAX_SHOWN),
        severity=message.severity,
        channels={line(name, MAX_NAME): _standing(each) for name, each in deliveries.items()},
    )


def _standing(delivery: Delivery) -> str:
    if delivery.sent_at:
        return f"sent {delivery.sent_at:%d %b %H:%M}"
    if delivery.gave_up:
        return line(f"not sent: {delivery.error}")
    tries = f" after {delivery.attempts} tries" if delivery.attempts else ""
    return f"waits{tries}"

"""Whether people are reached. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tuneops.doctor.finding import Finding, failed, ok
from tuneops.message import Message


@dataclass(frozen=True)
class Health:
    """A channel: how many messages it did not take, since when, and what it said last."""

    channel: str
    waiting: int = 0
    since: datetime | None = None
    error: str = ""


def health_of(outboxes: Iterable[Iterable[Message]]) -> list[Health]:
    """The channels by what became of messages to them; the newest message of each counts.

    One that was sent, or is new, after one that failed tells that the channel works again.
    """
    by_channel: dict[str, list[tuple[datetime, Message]]] = defaultdict(list)
    for outbox in outboxes:
        for message in outbox:
            for channel in message.deliveries:
                by_channel[channel].append((message.at, message))
    return [_health(channel, sent) for channel, sent in sorted(by_channel.items())]


def _health(channel: str, messages: list[tuple[datetime, Message]]) -> Health:
    deliveries = [(at, message.deliveries[channel]) for at, message in messages]
    sent = max((each.sent_at for _, each in deliveries if each.sent_at), default=None)
    failing = [
        (at, each)
        for at, each in deliveries
        if each.error and each.sent_at is None and (sent is None or at > sent)
    ]
    if not failing:
        return Health(channel)
    since, _ = min(failing, key=lambda each: each[0])
    _, last = max(failing, key=lambda each: each[0])
    return Health(channel, len(failing), since, last.error)


def judge(channels: Iterable[Health]) -> list[Finding]:
    """One finding for each channel."""
    check = "channels.delivery"
    found = [_judged(check, each) for each in channels]
    return found or [ok(check, "nobody was written to yet")]


def _judged(check: str, health: Health) -> Finding:
    if health.since is None:
        return ok(check, "takes messages", health.channel)
    mend = (
        "see that its address and secret are right (TUNEOPS_NOTIFY_URLS) and that its service "
        "takes messages from the app's network"
    )
    count = f"{health.waiting} {'message was' if health.waiting == 1 else 'messages were'}"
    said = f"{count} not taken since {health.since:%Y-%m-%d %H:%M} UTC: {health.error}"
    return failed(check, said, mend, health.channel)

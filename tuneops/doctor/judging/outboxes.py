"""How channels fare, by what became of messages to them. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tuneops.message import Delivery, Message


@dataclass(frozen=True)
class Health:
    """A channel as `judging.channels` wants it."""

    name: str
    failing_since: datetime | None = None
    error: str = ""
    waiting: int = 0


def health_of(outboxes: Iterable[Iterable[Message]]) -> list[Health]:
    """All channels that were written to; one that took a later message works again."""
    by_channel: dict[str, list[tuple[datetime, Delivery]]] = defaultdict(list)
    for outbox in outboxes:
        for message in outbox:
            for channel, delivery in message.deliveries.items():
                by_channel[channel].append((message.at, delivery))
    return [_health(channel, told) for channel, told in sorted(by_channel.items())]


def _health(channel: str, told: Iterable[tuple[datetime, Delivery]]) -> Health:
    told = sorted(told, key=lambda each: each[0])
    sent = max((each.sent_at for _, each in told if each.sent_at), default=None)
    failing = [
        (at, each)
        for at, each in told
        if each.error and each.sent_at is None and (sent is None or at > sent)
    ]
    if not failing:
        return Health(channel)
    return Health(channel, failing[0][0], failing[-1][1].error, len(failing))

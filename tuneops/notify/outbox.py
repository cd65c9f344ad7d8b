"""Delivering an outbox: at least once, in order on each channel, none waiting for another."""

import logging
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from tuneops.message import Delivery, Message
from tuneops.notify.routing import Route, meant

MAX_ATTEMPTS = 10
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=10)

log = logging.getLogger(__name__)


class ChannelError(Exception):
    """A channel did not take a message; the text holds no secret.

    `permanent`: it will not take this message, whatever is mended meanwhile. `retry_after` are the
    seconds for which it wants to be left alone.
    """

    def __init__(
        self, text: str, permanent: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(text)
        self.permanent = permanent
        self.retry_after = retry_after


class Channel(Protocol):
    """A way to people. `id` is stable and holds no secret."""

    @property
    def id(self) -> str:
        """Names the channel in the outbox."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def route(self) -> Route:
        """What goes there, and when."""

    def send(self, message: Message, thread: str) -> str:
        """Deliver one message; gives the handle of the thread that it is in, if there is one.

        `thread` is what an earlier message of the same release was given, empty at first.

        Raises:
            ChannelError: it was not taken.
        """


def deliver(
    outbox: Sequence[Message], channels: Iterable[Channel], now: datetime
) -> tuple[Message, ...]:
    """Send what is due and note how it went; a channel stops at its first message that fails."""
    messages = list(outbox)
    for channel in channels:
        for index, message in enumerate(messages):
            delivery = _owed(message, channel)
            if delivery is None:
                continue
            if delivery.retry_at and delivery.retry_at > now:
                break
            delivery = _attempt(channel, message, delivery, now)
            deliveries = {**message.deliveries, channel.id: delivery}
            messages[index] = message.replace(deliveries=deliveries)
            if not delivery.settled:
                break
    return tuple(messages)


def next_retry(outbox: Iterable[Message], channels: Collection[Channel]) -> datetime | None:
    """When the earliest failed delivery is due again; channels that there were count no more."""
    owed = (_owed(message, channel) for message in outbox for channel in channels)
    return min((each.retry_at for each in owed if each and each.retry_at), default=None)


def unsettled(outbox: Iterable[Message], channels: Collection[Channel]) -> tuple[Message, ...]:
    """The messages that some channel still owes, be it that they wait for one before them."""
    return tuple(m for m in outbox if any(_owed(m, channel) for channel in channels))


def taken_over(
    outbox: Iterable[Message], channels: Collection[Channel], by: str
) -> tuple[Message, ...]:
    """The outbox once what is unsettled stands in another one: nothing is sent from here again."""
    return tuple(_given_up(m, [c for c in channels if _owed(m, c)], by) for m in outbox)


def _owed(message: Message, channel: Channel) -> Delivery | None:
    """How far a message has come that the channel still owes; None when it owes nothing."""
    delivery = message.deliveries.get(channel.id, Delivery())
    wanted = meant(message, channel.id, channel.name, channel.route)
    return delivery if wanted and not delivery.settled else None


def _given_up(message: Message, channels: Iterable[Channel], by: str) -> Message:
    known = message.deliveries
    ends = {c.id: known.get(c.id, Delivery()).replace(gave_up=True, error=by) for c in channels}
    return message.replace(deliveries={**known, **ends}) if ends else message


def _attempt(channel: Channel, message: Message, before: Delivery, now: datetime) -> Delivery:
    attempts = before.attempts + 1
    try:
        channel.send(message, "")
    except ChannelError as error:
        log.warning("message %s not taken by %s: %s", message.key, channel.id, error)
        pause = min(FIRST_PAUSE * 2**before.attempts, LONGEST_PAUSE)
        gave_up = attempts >= MAX_ATTEMPTS
        return Delivery(
            attempts=attempts,
            retry_at=None if gave_up else now + pause,
            gave_up=gave_up,
            error=str(error),
        )
    return Delivery(attempts=attempts, sent_at=now)

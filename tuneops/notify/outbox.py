"""Delivering an outbox: at least once, in order on each channel, none waiting for another."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from tuneops.message import Delivery, Message

MAX_ATTEMPTS = 10
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=10)

log = logging.getLogger(__name__)


class ChannelError(Exception):
    """A channel did not take a message; the text holds no secret."""


class Channel(Protocol):
    """A way to people. `id` is stable and holds no secret."""

    @property
    def id(self) -> str:
        """Names the channel in the outbox."""

    def send(self, message: Message) -> None:
        """Deliver one message.

        Raises:
            ChannelError: it was not taken.
        """


def deliver(
    outbox: Sequence[Message], channels: Iterable[Channel], now: datetime
) -> tuple[Message, ...]:
    """Send what is due and note how it went; a channel stops at its first message that fails.

    What has to wait behind that is noted as well, so that the channel is known to owe it.
    """
    messages = list(outbox)
    for channel in channels:
        stopped = False
        for index, message in enumerate(messages):
            delivery = message.deliveries.get(channel.id, Delivery())
            if delivery.settled or (message.only and message.only != channel.id):
                continue
            stopped = stopped or bool(delivery.retry_at and delivery.retry_at > now)
            if not stopped:
                delivery = _attempt(channel, message, delivery, now)
                stopped = not delivery.settled
            deliveries = {**message.deliveries, channel.id: delivery}
            messages[index] = message.replace(deliveries=deliveries)
    return tuple(messages)


def next_retry(outbox: Iterable[Message]) -> datetime | None:
    """When the earliest failed delivery is due again."""
    times = [
        delivery.retry_at
        for message in outbox
        for delivery in message.deliveries.values()
        if delivery.retry_at and not delivery.settled
    ]
    return min(times, default=None)


def unsettled(outbox: Iterable[Message]) -> tuple[Message, ...]:
    """The messages that some channel still owes, or that none was given yet."""
    return tuple(
        m
        for m in outbox
        if not m.deliveries or not all(delivery.settled for delivery in m.deliveries.values())
    )


def _attempt(channel: Channel, message: Message, before: Delivery, now: datetime) -> Delivery:
    attempts = before.attempts + 1
    try:
        channel.send(message)
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

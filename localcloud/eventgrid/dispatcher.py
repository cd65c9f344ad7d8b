"""Delivers to one subscription what it is owed."""

import asyncio
import logging
import time

from azure.core.exceptions import AzureError

from localcloud.eventgrid.dead_letters import DeadLetters
from localcloud.eventgrid.queue import Delivery, DeliveryQueue
from localcloud.eventgrid.retry import RetryPolicy
from localcloud.eventgrid.subscriber import Subscriber

MOST_AT_ONCE = 16
HANDSHAKE_SECONDS = 0.5
LONGEST_HANDSHAKE_SECONDS = 5.0
DEAD_LETTER_RETRY_SECONDS = 5.0

log = logging.getLogger(__name__)


class Dispatcher:
    """One subscription's deliveries, several at once, in no certain order."""

    def __init__(
        self,
        name: str,
        subscriber: Subscriber,
        policy: RetryPolicy,
        queue: DeliveryQueue,
        dead_letters: DeadLetters,
    ) -> None:
        self.is_validated = False
        self._name = name
        self._subscriber = subscriber
        self._policy = policy
        self._queue = queue
        self._dead_letters = dead_letters
        self._in_flight: set[int] = set()
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something was added to the queue."""
        self._wake.set()

    async def run(self, topic: str) -> None:
        """Shake hands until the function agrees, then deliver until cancelled."""
        await self._validate(topic)
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._wake.clear()
                now = time.time()
                for delivery in self._take(now):
                    self._in_flight.add(delivery.number)
                    tasks.create_task(self._handle(delivery))
                await self._sleep(self._queue.next_due(self._name, now), now)

    async def _validate(self, topic: str) -> None:
        pause = HANDSHAKE_SECONDS
        while not await self._subscriber.shake_hands(topic):
            if pause == HANDSHAKE_SECONDS:
                log.info("%s: waiting for the function to answer the handshake", self._name)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_HANDSHAKE_SECONDS)
        self.is_validated = True
        log.info("%s: validated", self._name)

    def _take(self, now: float) -> list[Delivery]:
        """What is due and not in flight, as many as there is room for."""
        due = self._queue.due(self._name, now, MOST_AT_ONCE + len(self._in_flight))
        waiting = [delivery for delivery in due if delivery.number not in self._in_flight]
        return waiting[: MOST_AT_ONCE - len(self._in_flight)]

    async def _sleep(self, until: float | None, now: float) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), None if until is None else until - now)
        except TimeoutError:
            return

    async def _handle(self, delivery: Delivery) -> None:
        try:
            if delivery.dead_reason:
                await self._bury(delivery)
            else:
                await self._deliver(delivery)
        finally:
            self._in_flight.discard(delivery.number)
            self._wake.set()

    async def _deliver(self, delivery: Delivery) -> None:
        age = time.time() - delivery.published
        if reason := self._policy.reason_to_give_up(delivery.attempts, age):
            self._give_up(delivery, reason)
            return
        outcome = await self._subscriber.deliver(delivery.event, delivery.attempts)
        if outcome.is_delivered:
            self._queue.delivered(delivery)
            return
        now = time.time()
        attempts = delivery.attempts + 1
        self._queue.failed(
            delivery, outcome.name, now, due=now + self._policy.pause_after(attempts)
        )
        age = now - delivery.published
        if reason := self._policy.reason_to_give_up(attempts, age, outcome.status):
            self._give_up(delivery, reason)

    def _give_up(self, delivery: Delivery, reason: str) -> None:
        log.warning("%s: event %s given up: %s", self._name, delivery.event["id"], reason)
        self._queue.give_up(delivery, reason, time.time())

    async def _bury(self, delivery: Delivery) -> None:
        try:
            await asyncio.to_thread(self._dead_letters.write, delivery)
        except AzureError as error:
            log.warning("%s: dead letter not written: %s", self._name, error)
            self._queue.postpone(delivery, time.time() + DEAD_LETTER_RETRY_SECONDS)
            return
        self._queue.buried(delivery)

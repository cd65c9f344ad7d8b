"""Queue triggers: messages become invocations, several at once."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.functions.meta import Datum
from azure.storage.queue import QueueMessage

from localcloud.functions.app import Function
from localcloud.functions.host_config import QueueOptions
from localcloud.functions.invocation import InvocationFailedError, Invoker
from localcloud.functions.queue_storage import (
    QueueStorage,
    UndecodableMessageError,
    send_or_create,
)

# A message is invisible for this long and the time is extended while its function runs. Azure takes
# ten minutes; here a host that was killed gets its messages back soon.
LEASE_SECONDS = 15
RENEWAL_SECONDS = 5
MIN_POLLING_SECONDS = 0.1
POISON_SUFFIX = "-poison"

log = logging.getLogger(__name__)


class QueueListener:
    """Polls the queue of one function. Make it inside a running event loop."""

    def __init__(
        self, function: Function, options: QueueOptions, storage: QueueStorage, invoker: Invoker
    ) -> None:
        self._function = function
        self._options = options
        self._storage = storage
        self._invoker = invoker
        self._queue = storage.client(function.trigger)
        self._poison_queue = storage.client(function.trigger, POISON_SUFFIX)
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Poll until cancelled; ``drain`` then waits for what still runs."""
        pause = MIN_POLLING_SECONDS
        while True:
            if len(self._running) > self._options.new_batch_threshold:
                await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
                continue
            messages = await self._receive()
            if messages:
                pause = MIN_POLLING_SECONDS
                for message in messages:
                    self._start(message)
            else:
                await asyncio.sleep(pause)
                pause = self._longer(pause)

    async def drain(self) -> None:
        """Wait for the messages that are being worked on."""
        if self._running:
            await asyncio.wait(self._running)

    def _longer(self, pause: float) -> float:
        """Exponential backoff with jitter, as the Functions host's."""
        limit = self._options.max_polling_interval.total_seconds()
        return min(limit, pause * random.uniform(1.5, 2.5))

    async def _receive(self) -> list[QueueMessage]:
        try:
            return await asyncio.to_thread(self._receive_batch)
        except ResourceNotFoundError:
            return []
        except AzureError as error:
            log.warning("queue %s: %s", self._queue.queue_name, _first_line(error))
            return []

    def _receive_batch(self) -> list[QueueMessage]:
        pages = self._queue.receive_messages(
            messages_per_page=self._options.batch_size, visibility_timeout=LEASE_SECONDS
        ).by_page()
        return list(next(pages, ()))

    def _start(self, message: QueueMessage) -> None:
        task = asyncio.create_task(self._process(message))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _process(self, message: QueueMessage) -> None:
        try:
            await self._handle(message)
        except AzureError as error:
            log.warning(
                "queue %s: message %s comes again: %s",
                self._queue.queue_name,
                message.id,
                _first_line(error),
            )

    async def _handle(self, message: QueueMessage) -> None:
        count = message.dequeue_count or 1
        if count > self._options.max_dequeue_count:
            await self._to_poison_queue(message)
            return
        try:
            data = _datum(self._storage.decode(message.content))
        except UndecodableMessageError as error:
            log.error("queue %s: message %s: %s", self._queue.queue_name, message.id, error)
            await self._to_poison_queue(message)
            return
        try:
            async with self._kept_invisible(message):
                await self._invoker.invoke(self._function, data, _metadata(message))
        except InvocationFailedError:
            await self._give_back(message, count)
        else:
            await asyncio.to_thread(self._queue.delete_message, message)

    @asynccontextmanager
    async def _kept_invisible(self, message: QueueMessage) -> AsyncIterator[None]:
        """Extend the lease while the block runs; ``message`` gets each new pop receipt."""
        ended = asyncio.Event()
        renewal = asyncio.create_task(self._renew(message, ended))
        try:
            yield
        finally:
            ended.set()
            await renewal

    async def _renew(self, message: QueueMessage, ended: asyncio.Event) -> None:
        while True:
            try:
                await asyncio.wait_for(ended.wait(), RENEWAL_SECONDS)
                return
            except TimeoutError:
                pass
            try:
                await self._set_invisible(message, LEASE_SECONDS)
            except AzureError as error:
                log.warning(
                    "queue %s: message %s may be handed out again: %s",
                    self._queue.queue_name,
                    message.id,
                    _first_line(error),
                )

    async def _set_invisible(self, message: QueueMessage, seconds: int) -> None:
        renewed = await asyncio.to_thread(
            self._queue.update_message, message, visibility_timeout=seconds
        )
        message.pop_receipt = renewed.pop_receipt

    async def _give_back(self, message: QueueMessage, count: int) -> None:
        if count >= self._options.max_dequeue_count:
            await self._to_poison_queue(message)
        else:
            seconds = int(self._options.visibility_timeout.total_seconds())
            await self._set_invisible(message, seconds)

    async def _to_poison_queue(self, message: QueueMessage) -> None:
        await asyncio.to_thread(send_or_create, self._poison_queue, message.content)
        await asyncio.to_thread(self._queue.delete_message, message)
        log.error(
            "queue %s: message %s moved to %s",
            self._queue.queue_name,
            message.id,
            self._poison_queue.queue_name,
        )


def _datum(body: bytes) -> Datum:
    try:
        return Datum(body.decode(), "string")
    except UnicodeDecodeError:
        return Datum(body, "bytes")


def _metadata(message: QueueMessage) -> dict[str, Datum]:
    """The trigger metadata that the converter of ``azure.functions.queue`` reads."""
    return {
        "Id": Datum(message.id, "string"),
        "DequeueCount": Datum(str(message.dequeue_count), "string"),
        "PopReceipt": Datum(message.pop_receipt, "string"),
        "InsertionTime": _time(message.inserted_on),
        "ExpirationTime": _time(message.expires_on),
        "NextVisibleTime": _time(message.next_visible_on),
    }


def _time(moment: datetime | None) -> Datum:
    return Datum(moment.isoformat() if moment else "", "string")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]

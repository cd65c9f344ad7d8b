"""A message on the queue ``deliver``: empty a mailbox, or find the forgotten ones.

Receivers may be slow, so this has threads of its own: the worker's others are left to reconciles.
One channel has no more than some of them, so that one that hangs leaves the rest to the others.
"""

import asyncio
import logging
import random
from concurrent.futures import ThreadPoolExecutor
from threading import Semaphore
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from tuneops.inheriting import inheriting
from tuneops.queue import Delivering, DeliverRequest
from tuneops.services import NoSourceError, Services
from tuneops.storage_refusal import refusals_explained
from tuneops.telemetry import fields

THREADS = 12
OF_ONE_CHANNEL = 4
FULL_SECONDS = 3

_REQUEST: TypeAdapter[Delivering] = TypeAdapter(Annotated[Delivering, Field(discriminator="kind")])
_POOL = ThreadPoolExecutor(THREADS, thread_name_prefix="deliver")
_PLACES: dict[str, Semaphore] = {}

log = logging.getLogger(__name__)


async def handle(body: bytes, services: Services) -> None:
    """Do what the message asks for, beside others.

    Raises:
        AzureError: it can't be done now; the queue delivers the message again.
    """
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(_POOL, inheriting(deliver), body, services)


@refusals_explained()
def deliver(body: bytes, services: Services) -> None:
    """Do what the message asks for; one that can't be read is dropped: the timer makes up for it.

    Raises:
        AzureError: it can't be done now; the queue delivers the message again.
    """
    try:
        request = _REQUEST.validate_json(body)
    except ValidationError:
        log.error("dropped a message that is no request: %r", body[:200])
        return
    try:
        if isinstance(request, DeliverRequest):
            with fields.bound(fields.of_stream(request.stream)):
                _carry(request, services)
        else:
            _remind(services)
    except NoSourceError as error:
        log.info("dropped %s: %s", request, error)


def _carry(request: DeliverRequest, services: Services) -> None:
    """Empty a mailbox, or come again when the channel has all its threads at work."""
    from tuneops.notify.carrier import carry

    places = _PLACES.setdefault(request.channel, Semaphore(OF_ONE_CHANNEL))
    if not places.acquire(blocking=False):
        services.deliveries.send(request, random.uniform(1, FULL_SECONDS))
        return
    try:
        carry(request, services)
    finally:
        places.release()


def _remind(services: Services) -> None:
    """Find the mailboxes that nobody will come for."""
    from tuneops.notify.reminding import remind

    remind(services, services.now())

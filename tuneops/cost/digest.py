"""The daily summary of an environment: written once a day, then posted as other messages are.

What a day's message says and that it is owed is one write, under the document's lease. So two
timers make one message, and after a crash it is posted the next day at the latest.
"""

import logging
import random
from collections.abc import Callable
from datetime import date, datetime

from azure.storage.blob import BlobLeaseClient

from tuneops import documents, names
from tuneops.azureml.errors import UnavailableError
from tuneops.cost import text
from tuneops.cost.bill import Bill
from tuneops.cost.machines import Deployed
from tuneops.cost.report import read_bill, read_bill_or_problem
from tuneops.document import Document
from tuneops.message import Message
from tuneops.notify.plain import fitted
from tuneops.notify.post import post
from tuneops.queue import SummaryRequest
from tuneops.services import Services
from tuneops.store import BusyError, ConflictError, NewerError, Stored, UnreadableError

MAX_TRIES = 12
RETRY_SECONDS = 300.0
"""For an hour Azure is asked again before people are told that it does not answer."""
BUSY_SECONDS = 6

log = logging.getLogger(__name__)


class Digest(Document):
    """The summary of `day`: what ran then, and the messages that are owed.

    `running` is None while that was never known.
    """

    day: date | None = None
    running: tuple[Deployed, ...] | None = None
    outbox: tuple[Message, ...] = ()


def summarize(
    request: SummaryRequest, services: Services, clock: Callable[[], datetime] | None = None
) -> None:
    """Tell people once what runs on the request's day.

    Raises:
        NoSourceError: the settings have no source for the environment.
    """
    services = services.of(request.environment)
    path, pause = documents.summary(request.environment), None
    try:
        with services.store.lease(path, Digest()) as lease:
            _tell(path, request, services, lease, (clock or services.clock)())
    except (BusyError, ConflictError) as error:
        log.info("the summary is told by another worker: %s", error)
        pause = random.uniform(1, BUSY_SECONDS)
    except UnavailableError as error:
        log.warning("the summary of %s comes later: %s", request.day, error)
        request, pause = request.again(), RETRY_SECONDS
    if pause is not None:
        services.queue.send(request, pause)


def _tell(
    path: str, request: SummaryRequest, services: Services, lease: BlobLeaseClient, now: datetime
) -> None:
    """Write the message of the day and post it."""
    store, stored = services.store, _load(path, services)
    if stored.value.day is None or stored.value.day < request.day:
        last = request.tries >= MAX_TRIES
        bill = read_bill_or_problem(services, now) if last else read_bill(services, now)
        digest = _next(stored.value, bill, request.day, now)
        stored = store.write(path, digest, stored.etag, lease)
    if stored.value.outbox:
        stream = names.stream_of(request.environment, "summary")
        post(services, stream, stored.value.outbox, services.people)
        store.write(path, stored.value.replace(outbox=()), stored.etag, lease)


def _load(path: str, services: Services) -> Stored[Digest]:
    """The last summary; one that can't be read is written anew, but for that of a later version."""
    try:
        stored = services.store.read(path, Digest)
    except NewerError:
        raise
    except UnreadableError as error:
        log.error("%s", error)
        return Stored(Digest(), error.etag)
    if stored is None:
        raise ConflictError(f"{path} has gone")
    return stored


def _next(before: Digest, bill: Bill, day: date, now: datetime) -> Digest:
    """The day's summary; nobody is told where nothing runs, is under way or has changed."""
    owed = before.outbox
    running = before.running if bill.problem else bill.running
    changed = bool(text.changes(before.running or (), running or ()))
    if bill.runs or changed:
        owed = (*owed, _message(bill, before.running, day, now))
    return Digest(day=day, running=running, outbox=owed)


def _message(bill: Bill, before: tuple[Deployed, ...] | None, day: date, now: datetime) -> Message:
    told = Message(
        key=":".join(filter(None, (bill.environment, "summary", day.isoformat()))),
        event="summary",
        title=text.title(bill),
        text=text.body(bill, before),
        at=now,
        severity="warning" if bill.problem else "info",
        environment=bill.environment,
        figure="" if bill.problem else text.sum_text(bill),
    )
    return fitted(told)

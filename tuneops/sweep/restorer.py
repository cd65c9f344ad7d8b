"""Carrying out an order to bring back what was swept away, a step at a time."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from azure.storage.blob import BlobLeaseClient

from tuneops import documents, names
from tuneops.azureml import arm
from tuneops.azureml.errors import RefusedError, UnavailableError
from tuneops.notify.post import post
from tuneops.queue import RestoreRequest
from tuneops.services import NoSourceError, Services
from tuneops.store import BusyError, ConflictError, Stored
from tuneops.sweep import text
from tuneops.sweep.finding import Finding
from tuneops.sweep.record import DONE, FAILED, UNDER_WAY, Record, Restoration
from tuneops.sweep.resource import Kind
from tuneops.sweep.restoring import End, Look, Put, Step, next_step

BUSY_SECONDS = 5
LONGEST = timedelta(hours=6)
"""What is not there by then is given up, so that no order is followed for ever."""
MAX_STEPS = 30

log = logging.getLogger(__name__)


class UnknownRecordError(Exception):
    """Nothing was swept away under this id."""


class NotRestorableError(Exception):
    """It can't be brought back; the message says why."""


def order(identifier: str, by: str, reason: str, services: Services, now: datetime) -> str:
    """Have something brought back; gives what is said of that. An order under way stands.

    Raises:
        UnknownRecordError, NotRestorableError: it can't be done.
    """
    path = documents.swept(identifier)
    stored = _read(path, identifier, services)
    record = stored.value
    if record.finding.kind == Kind.JOB:
        raise NotRestorableError("a job can't be brought back: see 'tuneops retry'")
    if record.gone_at is None:
        raise NotRestorableError(f"{record.finding.label} has not gone yet: tag it to keep it")
    try:
        _services_of(record, services)
    except NoSourceError as error:
        raise NotRestorableError(str(error)) from error
    if record.note != UNDER_WAY:
        ordered = record.replace(restoration=_ordered(record, by or "somebody", reason, now))
        try:
            services.store.write(path, ordered, stored.etag, note=UNDER_WAY)
        except ConflictError as error:
            raise NotRestorableError("it is looked at right now: try again") from error
    services.queue.send(RestoreRequest(id=identifier))
    return f"{record.finding.label} of {record.finding.project} is being brought back"


def ordered(identifier: str, services: Services) -> Finding:
    """What is to be brought back.

    Raises:
        UnknownRecordError: nothing was swept away under this id.
    """
    return _read(documents.swept(identifier), identifier, services).value.finding


def _read(path: str, identifier: str, services: Services) -> Stored[Record]:
    stored = services.store.read(path, Record)
    if stored is None:
        raise UnknownRecordError(f"nothing was swept away as {identifier}: see 'tuneops sweep'")
    return stored


def _ordered(record: Record, by: str, reason: str, now: datetime) -> Restoration:
    """A new order, which may go on with what one before has begun."""
    before = record.restoration
    earlier = (*before.earlier, *before.begun) if before else ()
    return Restoration(by=by, reason=reason, at=now, earlier=tuple(dict.fromkeys(earlier)))


def _services_of(record: Record, services: Services) -> Services:
    """Those of its environment, or of another one in its workspace when that has gone.

    Raises:
        NoSourceError: the settings have no source for its workspace any more.
    """
    sources = services.settings.config_sources
    if services.settings.source(record.environment) is None:
        for other in (services.of(source.environment) for source in sources):
            if record.target.key.startswith(f"{other.workspace.id.lower()}/"):
                return other
    return services.of(record.environment)


def restore_swept(
    request: RestoreRequest, services: Services, clock: Callable[[], datetime] | None = None
) -> None:
    """Go on with a restoration, and ask to be called again while it is under way.

    Raises:
        NoSourceError: the settings have no source for its workspace any more.
    """
    path = documents.swept(request.id)
    stored = services.store.read(path, Record)
    if stored is None or stored.value.restoration is None:
        log.info("nothing is to be restored as %s", request.id)
        return
    services = _services_of(stored.value, services)
    try:
        with services.store.lease(path, stored.value) as lease:
            pause = _Restoring(services, lease, path, clock or services.clock).run()
    except (BusyError, ConflictError):
        pause = BUSY_SECONDS
    if pause is not None:
        services.queue.send(request, pause)


class _Restoring:
    """Some steps of one restoration, under its lease."""

    def __init__(
        self,
        services: Services,
        lease: BlobLeaseClient,
        path: str,
        clock: Callable[[], datetime],
    ) -> None:
        self.services = services
        self.lease = lease
        self.path = path
        self.clock = clock
        stored = services.store.read(path, Record)
        if stored is None:
            raise ConflictError(f"{path} has gone")
        self.stored: Stored[Record] = stored

    def run(self) -> float | None:
        """Step until there is a wait; gives its seconds, None when all is done and told."""
        pause = float(self.services.settings.poll_seconds)
        try:
            for _ in range(MAX_STEPS):
                if self.stored.value.note != UNDER_WAY:
                    self._post()
                    return None
                if not self._step():
                    return pause
        except UnavailableError as error:
            log.warning("restoration %s goes on later: %s", self.path, error)
            pause = max(error.seconds, pause)
        return pause

    def _step(self) -> bool:
        """Take a step; False when there is none before a later look."""
        try:
            step = self._next()
            if isinstance(step, Put):
                self._begin(step)
            if isinstance(step, Look) and self.clock() - self._order.at > LONGEST:
                step = End(f"{step.said}, which takes too long: see why in the studio", failed=True)
        except RefusedError as error:
            step = End(str(error), failed=True)
        if isinstance(step, End):
            self._end(step)
        return not isinstance(step, Look)

    @property
    def _order(self) -> Restoration:
        order = self.stored.value.restoration
        if order is None:
            raise ConflictError("the order has gone")
        return order

    def _next(self) -> Step:
        record, workspace = self.stored.value, self.services.workspace
        ids = [part["id"] for part in record.parts]
        if record.target.kind == Kind.DEPLOYMENT:
            ids.append(record.target.above)
        seen = {each: arm.get(workspace, each) for each in ids}
        return next_step(record, self._order, seen)

    def _begin(self, step: Put) -> None:
        """Note it first: what is there afterwards is known to be of this order."""
        begun = dict.fromkeys((*self._order.begun, step.mark))
        self._save(restoration=self._order.replace(begun=tuple(begun)))
        arm.begin_put(self.services.workspace, step.id, step.body)

    def _end(self, end: End) -> None:
        """That it is over and the message that tells so are one write."""
        state = FAILED if end.failed else DONE
        restoration = self._order.replace(state=state, said=end.said)
        record = self.stored.value.replace(restoration=restoration)
        owed = (*record.outbox, text.restored(record, self.clock()))
        self._save(restoration=restoration, outbox=owed)

    def _post(self) -> None:
        stream = names.stream_of(self.services.environment, "sweeps")
        post(self.services, stream, self.stored.value.outbox, self.services.people)
        self._save(outbox=())

    def _save(self, **changes: object) -> None:
        record = self.stored.value.replace(**changes)
        if record != self.stored.value:
            self.stored = self.services.store.write(
                self.path, record, self.stored.etag, self.lease, record.note
            )

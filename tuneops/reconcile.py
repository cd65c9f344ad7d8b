"""Reconciling one project: lease, load, observe, decide, act, save, until there is a wait.

Every step is saved before the next is decided, so a crash at any moment leaves a state from which
the same steps follow. What can't be done now is noted as trouble and tried again later. A look that
finds nothing to do now is noted in the project for the resync, and struck out before a change.
"""

import logging
import random
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from azure.storage.blob import BlobLeaseClient

from tuneops import documents
from tuneops.act import act
from tuneops.actions import Effect, Fail, Idle, PromoteRelease, StartRelease, Wait
from tuneops.azureml.errors import RefusedError, UnavailableError
from tuneops.data.errors import DataChangedError, DataError, DataUnavailableError
from tuneops.data.prepare import find_source
from tuneops.decide import decide
from tuneops.document import Document
from tuneops.looks import LOST_AFTER, Look
from tuneops.notify import messages, outbox
from tuneops.observe import followed_base_model, observe
from tuneops.patience import wait
from tuneops.policy import InForce, Verdict, verdict
from tuneops.queue import ProjectRequest
from tuneops.release import (
    Desired,
    Phase,
    Project,
    Release,
    Trouble,
    Wake,
    start_release,
)
from tuneops.services import Services
from tuneops.store import BusyError, ConflictError, Stored

MAX_STEPS = 30
BUSY_SECONDS = 6
HELD_AFTER = timedelta(minutes=5)
LONGEST_PAUSE_SECONDS = 600

log = logging.getLogger(__name__)

T = TypeVar("T", bound=Document)


def utc_now() -> datetime:
    """The time now, aware."""
    return datetime.now(UTC)


def reconcile_project(
    request: ProjectRequest, services: Services, clock: Callable[[], datetime] = utc_now
) -> None:
    """Bring one project as far as it can come now, and ask to be called again if it has to wait."""
    path = documents.project(request.project)
    if services.store.read(documents.desired(request.project), Desired) is None:
        log.info("no config was ever seen for project %s", request.project)
        return
    try:
        with services.store.lease(path, Project(name=request.project)) as lease:
            _Pass(request, services, lease, clock).run()
    except (BusyError, ConflictError) as error:
        log.info("project %s is looked at by another worker: %s", request.project, error)
        services.queue.send(request, random.uniform(1, BUSY_SECONDS))


class _Pass:
    """One look at one project, under its lease."""

    def __init__(
        self,
        request: ProjectRequest,
        services: Services,
        lease: BlobLeaseClient,
        clock: Callable[[], datetime],
    ) -> None:
        self.request = request
        self.services = services
        self.lease = lease
        self.clock = clock
        self.project = self._load(documents.project(request.project), Project)
        self.desired = self._load(documents.desired(request.project), Desired).value
        self.release = self._load_release(self.project.value.current)
        self.newest_base_model = ""
        self.look: Look | None = None

    def run(self) -> None:
        """Step until there is nothing to do now, then arrange the next look."""
        pause = self._steps()
        self._deliver()
        self._arrange(pause)

    def _steps(self) -> float | None:
        """Take steps; gives the seconds to wait for the next, None if nothing is to come.

        What is desired is read under the lease: read before, it could be older than what another
        worker has acted on meanwhile.
        """
        for _ in range(MAX_STEPS):
            try:
                action = self._decide()
                if isinstance(action, Idle | Wait):
                    self._note_waiting(action)
                    self._note_look()
                    return self._pause(action)
                self._perform(action)
            except (DataError, RefusedError) as error:
                if self.release is None or self.release.value.phase.ended:
                    return self._note_trouble(error)
                self._perform(Fail(str(error)))
            except DataChangedError as error:
                log.info("project %s: %s", self.request.project, error)
                return 1
            except ConflictError:
                raise
            except Exception as error:
                return self._note_trouble(error)
            self._deliver()
        return 0

    def _decide(self) -> Effect | Wait | Idle:
        if self.desired.source is None:
            self._find_data()
        release = self.release.value if self.release else None
        workspace = self.services.workspace
        observed = observe(workspace, self.desired, self.project.value, release)
        self.newest_base_model = observed.newest_base_model
        observed = replace(observed, verdict=self._verdict(release))
        return decide(self.desired, release, observed, self.clock())

    def _verdict(self, release: Release | None) -> Verdict:
        """What the policy says now; it is read each time, as it may have changed meanwhile."""
        stored = self.services.store.read(documents.POLICY, InForce)
        policy = (stored.value if stored else InForce()).policy
        region = self.services.workspace.region if policy.allowed_regions else ""
        return verdict(policy, release, region, self.clock())

    def _perform(self, action: Effect) -> None:
        log.info("project %s: %s", self.request.project, action)
        self._forget_look()
        if isinstance(action, StartRelease):
            self._start_release()
        elif self.release is None:
            raise ValueError(f"{action} without a release")
        elif isinstance(action, PromoteRelease):
            self._promote(self.release.value)
        else:
            changed = act(action, self.release.value, self.services, self.clock())
            self._save_release(changed.replace(trouble=None, waiting=None))

    def _start_release(self) -> None:
        """Write the new release first, then point the project at it; both may happen again."""
        project, now = self.project.value, self.clock()
        if self.release:
            project = project.remember(self.release.value)
        workspace = self.services.workspace.id
        release = start_release(self.desired, project, workspace, now)
        release = messages.tell(release, "queued", release.reason, now)
        if self.release:
            owed = outbox.unsettled(self.release.value.outbox)
            release = release.replace(outbox=(*owed, *release.outbox))
        self.release = self._load_release(release.number)
        if self.release is None or self.release.value.fingerprint != release.fingerprint:
            self._save_release(release)
        endpoints = dict.fromkeys((*project.endpoints, release.endpoint))
        self._save_project(
            project.replace(current=release.number, endpoints=tuple(endpoints), trouble=None)
        )

    def _promote(self, release: Release) -> None:
        """Mark the release that was live as superseded, then point the project at this one."""
        before = self.project.value.live
        old = self._load_release(before) if before != release.number else None
        if old and old.value.phase == Phase.LIVE:
            reason = f"release {release.number} is live"
            self._write(old, old.value.advance(Phase.SUPERSEDED, self.clock(), reason))
        self._save_project(self.project.value.replace(live=release.number))

    def _note_trouble(self, error: Exception) -> float:
        """Remember why the step could not be done; gives the pause before it is tried again."""
        expected = isinstance(error, UnavailableError | RefusedError | DataUnavailableError)
        log.log(
            logging.WARNING if expected else logging.ERROR,
            "project %s: %s",
            self.request.project,
            error,
            exc_info=not expected,
        )
        message = str(error) if expected else f"internal error ({type(error).__name__})"
        holder: Release | Project = self.release.value if self.release else self.project.value
        before = holder.trouble or Trouble(message=message, since=self.clock(), count=0)
        count = before.count + 1
        trouble = before.replace(message=message, count=count)
        asked = error.seconds if isinstance(error, UnavailableError) else 0
        pause = max(asked, self._usual_pause() * 2.0 ** min(count - 1, 10))
        pause = min(LONGEST_PAUSE_SECONDS, pause)
        if self.release is None:
            self._save_project(self.project.value.replace(trouble=trouble, look=None))
            return pause
        release = self.release.value
        if not trouble.told and self.clock() - trouble.since > HELD_AFTER:
            trouble = trouble.replace(told=True)
            since = trouble.since.isoformat()
            release = messages.tell(release, "held", message, self.clock(), occasion=since)
        self._save_release(release.replace(trouble=trouble))
        return pause

    def _deliver(self) -> None:
        """Send the messages that are due and note which were taken."""
        if self.release is None:
            return
        release = self.release.value
        delivered = outbox.deliver(release.outbox, self.services.channels, self.clock())
        if delivered != release.outbox:
            self._save_release(release.replace(outbox=delivered))

    def _arrange(self, pause: float | None) -> None:
        """Ask for the next look, unless a message for it is on its way already."""
        now = self.clock()
        project = self.project.value
        retry_at = outbox.next_retry(self.release.value.outbox) if self.release else None
        if retry_at:
            until_retry = max(0.0, (retry_at - now).total_seconds())
            pause = until_retry if pause is None else min(pause, until_retry)
        wake = project.wake if project.wake and project.wake.id != self.request.wake else None
        if wake and wake.at + LOST_AFTER < now:
            wake = None
        if pause is not None and (wake is None or wake.at > now + timedelta(seconds=pause)):
            wake = Wake(id=uuid.uuid4().hex, at=now + timedelta(seconds=pause))
            self.services.queue.send(ProjectRequest(project=project.name, wake=wake.id), pause)
        look = self.look or project.look
        if (wake, look) != (project.wake, project.look):
            self._save_project(project.replace(wake=wake, look=look))

    def _note_waiting(self, action: Idle | Wait) -> None:
        """Remember since when the release waits for what; what troubled it is over."""
        if self.release is None:
            self._note_before_first(action)
            return
        release = self.release.value.replace(trouble=None)
        if isinstance(action, Wait):
            self._save_release(wait(release, action, self.clock()))
        else:
            self._save_release(release.replace(waiting=None))

    def _note_before_first(self, action: Idle | Wait) -> None:
        """Without a release yet, what the project waits for is its trouble."""
        project, trouble = self.project.value, None
        if isinstance(action, Wait):
            trouble = project.trouble
            if trouble is None or trouble.message != action.reason:
                trouble = Trouble(message=action.reason, since=self.clock(), count=0)
        if trouble != project.trouble:
            self._save_project(project.replace(trouble=trouble))

    def _note_look(self) -> None:
        """Nothing is to be done now: what the resync had seen needs no other look."""
        if self.request.view:
            release = self.release.value if self.release else None
            self.look = Look(
                view=self.request.view,
                at=self.clock(),
                base_model=followed_base_model(self.desired, release),
                newest_base_model=self.newest_base_model,
            )

    def _forget_look(self) -> None:
        """Before anything is changed: a crash after that must not hide that more is to be done."""
        if self.project.value.look:
            self._save_project(self.project.value.replace(look=None))

    def _pause(self, action: Idle | Wait) -> float | None:
        """The seconds that an action asks to wait, None for no end."""
        if isinstance(action, Idle):
            return None
        return self._usual_pause() if action.seconds is None else action.seconds

    def _usual_pause(self) -> float:
        return self.services.settings.poll_seconds

    def _find_data(self) -> None:
        """Add the newest data to what git wants."""
        config = self.desired.config
        if config:
            self.desired = self.desired.replace(source=find_source(self.services.storage, config))

    def _load(self, path: str, kind: type[T]) -> Stored[T]:
        stored = self.services.store.read(path, kind)
        if stored is None:
            raise ConflictError(f"{path} has gone")
        return stored

    def _load_release(self, number: int | None) -> Stored[Release] | None:
        return self.services.release(self.request.project, number)

    def _save_project(self, project: Project) -> None:
        path, note = documents.project(project.name), project.note.text()
        self.project = self.services.store.write(path, project, self.project.etag, self.lease, note)

    def _save_release(self, release: Release) -> None:
        self.release = self._write(self.release, release)

    def _write(self, before: Stored[Release] | None, release: Release) -> Stored[Release]:
        if before and before.value == release:
            return before
        self._forget_look()
        path = documents.release(release.project, release.number)
        etag = before.etag if before and before.value.number == release.number else None
        return self.services.store.write(path, release, etag)

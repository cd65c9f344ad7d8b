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
from datetime import datetime, timedelta

from azure.storage.blob import BlobLeaseClient

from tuneops import documents, names
from tuneops.act import act
from tuneops.actions import Advance, Effect, Fail, Idle, PromoteRelease, StartRelease, Wait
from tuneops.azureml.errors import RefusedError, UnavailableError
from tuneops.azureml.transport import one_look
from tuneops.cost.reservation import find_room
from tuneops.data.errors import DataChangedError, DataError, DataUnavailableError
from tuneops.data.places import NoPlaceError
from tuneops.decide import decide, look_after
from tuneops.desired import Desired
from tuneops.events.effect import Led, led
from tuneops.following import Followed, follow, note_suspension, read_orders, tell_pinned
from tuneops.held import Held
from tuneops.looks import LOST_AFTER, Look
from tuneops.names import environment_of, is_preview
from tuneops.notify import turns
from tuneops.notify.following import TRIED_AGAIN
from tuneops.notify.post import post
from tuneops.notify.why import cause_of
from tuneops.observe import followed_base_model, observe, observe_begin, observe_progress
from tuneops.observed import Observed
from tuneops.overview.keeping import keep_card
from tuneops.patience import begun, wait
from tuneops.pinning import rejection
from tuneops.policy import Verdict, verdict
from tuneops.previews import pruning, sharing
from tuneops.previews.wanted import at_its_time, bounded
from tuneops.project import Project, Wake, start_release
from tuneops.queue import ProjectRequest
from tuneops.release import Phase, Release, Trouble
from tuneops.services import Services
from tuneops.storage_refusal import explained
from tuneops.store import BusyError, ConflictError
from tuneops.suspension import stays_as_it_is
from tuneops.telemetry import tracing
from tuneops.telemetry.work import Work, place_of
from tuneops.unwatched import unwatched

MAX_STEPS = 30
BUSY_SECONDS = 6
HELD_AFTER = timedelta(minutes=5)
LONGEST_PAUSE_SECONDS = 600
LONGEST_PASS = timedelta(minutes=2)
TOO_EARLY = 0.2
"""A wake-up that comes earlier by this share of the pause finds nothing yet."""
LATE = timedelta(seconds=5)
"""Storage says in whole seconds when a message was put on a queue, and what time it is."""

log = logging.getLogger(__name__)


def reconcile_project(
    request: ProjectRequest,
    services: Services,
    clock: Callable[[], datetime] | None = None,
    since: datetime | None = None,
) -> Led | None:
    """Bring one project as far as it can come now, and ask to be called again if it has to wait.

    Gives what came of it; None while another worker is at it, after whom the request comes again.
    The `clock` is that of storage where none is given; by it the request waits `since` then.
    """
    path = documents.project(request.project)
    desired = services.store.read(documents.desired(request.project), Desired)
    if desired is None:
        log.info("no config was ever seen for project %s", request.project)
        if is_preview(request.project):
            services = services.of(environment_of(request.project))
            pruning.forget(request.project, services, (clock or services.clock)())
        keep_card(request.project, services)
        return Led("ignored", "no config was ever seen for it")
    if reason := unwatched(request.project, desired.value, services.settings):
        log.info("project %s: %s", request.project, reason)
        keep_card(request.project, services)
        return Led("ignored", reason)
    services = services.of(environment_of(request.project))
    clock = clock or services.clock
    try:
        with (
            services.store.lease(path, Project(name=request.project)) as lease,
            Work(request.project) as work,
            one_look(),
        ):
            found = _Pass(request, services, lease, clock, work, since).run()
            if is_preview(request.project):
                pruning.prune(request.project, services, lease, clock())
                keep_card(request.project, services)
    except (BusyError, ConflictError) as error:
        log.info("project %s is looked at by another worker: %s", request.project, error)
        services.queue.send(request, random.uniform(1, BUSY_SECONDS))
        return None
    return found


class _Pass:
    """One look at one project, under its lease."""

    def __init__(
        self,
        request: ProjectRequest,
        services: Services,
        lease: BlobLeaseClient,
        clock: Callable[[], datetime],
        work: Work,
        since: datetime | None,
    ) -> None:
        self.begun = clock()
        self.since = since
        self.request = request
        self.services = services
        self.clock = clock
        self.work = work
        self.held = Held(request, services, lease, clock)
        git = self.held.load(documents.desired(request.project), Desired).value
        git = at_its_time(git, clock())
        self.followed = Followed(git, git)
        self.desired = git
        self.work.follow(self.held.release)
        self.base_model = self.newest_base_model = ""
        self.settled = 0
        self.shown = self.held.standing

    def run(self) -> Led:
        """Step until there is nothing to do now, then arrange the next look."""
        if self._is_overtaken():
            return Led("merged", "a look since then has asked for a later one")
        if self._is_seen_to():
            return Led("merged", "a look that began after it came has seen to it")
        before, again = self.held.standing, self.held.is_moved
        pauses = [self._steps_told()]
        newest_now = self.held.standing
        if self._turn_to_live():
            again = again or self.held.is_moved
            pauses.append(self._steps_told())
        shown = keep_card(self.request.project, self.services)
        look = self._look() if shown and self.settled == len(pauses) else None
        newest = self.held.release
        pauses.append(pruning.pause(newest, self.services, self.clock()))
        self._arrange(min((pause for pause in pauses if pause is not None), default=None), look)
        return led(before, newest_now, self.held.performed, again=again)

    def _steps_told(self) -> float | None:
        """Take steps and tell of them; gives the seconds to wait for more to do."""
        pause = self._steps()
        self._post()
        return pause

    def _turn_to_live(self) -> bool:
        """When the newest release came to nothing, go on with the one that is live, if any."""
        project, vain = self.held.project, (Phase.FAILED, Phase.SUPERSEDED)
        if self.held.release is None or self.held.release.phase not in vain:
            return False
        live = self.held.load_release(project.live) if project.live != project.current else None
        if live is None or live.value.phase != Phase.LIVE:
            return False
        self.held.take(live)
        self.work.follow(live.value)
        return True

    def _steps(self) -> float | None:
        """Take steps; gives the seconds to wait for the next, None if nothing is to come.

        What is desired is read under the lease: read before, it could be older than what another
        worker has acted on meanwhile. A release whose data is no more makes way, even if there is
        none to go on with, or a freeze or `in_flight` would let it finish.
        """
        since = self.clock()
        for _ in range(MAX_STEPS):
            if self.clock() - since > LONGEST_PASS:
                break
            try:
                action = self._decide()
                if isinstance(action, Idle | Wait):
                    self._note_waiting(action)
                    self.settled += 1
                    return self._pause(action)
                before = self.held.release
                self._perform(action)
                if waits := begun(action, before, self.held.release):
                    self._note_waiting(waits)
                    return self._pause(waits)
            except (DataError, RefusedError) as error:
                if self.held.release is None or self.held.release.phase.ended:
                    return self._note_trouble(error)
                self._perform(Fail(str(error)))
            except DataChangedError as error:
                log.info("project %s: %s", self.request.project, error)
                if self.held.release is None or self.held.release.source == self.desired.source:
                    return 1
                self._perform(Advance(Phase.SUPERSEDED, str(error)))
            except NoPlaceError:
                return self._usual_pause() * random.uniform(0.1, 0.5)
            except ConflictError:
                raise
            except Exception as error:
                return self._note_trouble(error)
            self._post()
            self._show()
        return 0

    def _decide(self) -> Effect | Wait | Idle:
        """The next action; Azure is not asked while all stays as it is: no refusal changes that."""
        orders = read_orders(self.request.project, self.services)
        note_suspension(self.held, orders)
        self.followed = follow(self.held, orders, self.followed.git)
        pin = self.followed.pin
        self.desired = stays_as_it_is(self.followed.desired, orders.suspension, pin)
        if self.desired.standstill:
            return bounded(Idle(self.desired.standstill), self.desired, self.clock())
        release = self.held.release
        workspace = self.services.workspace
        observed = observe(workspace, self.desired, self.held.project, release)
        retried = orders.retry is not None and orders.retry.release == self.held.project.current
        observed = replace(
            observed,
            verdict=self._verdict(release, observed),
            live=self._live(release),
            rejected="" if pin else self.followed.held_back,
            retried=retried,
            metrics_delay=timedelta(seconds=self.services.settings.metrics_delay_seconds),
            said=orders.said,
            shares_job=sharing.shares_job(self.desired, release, self.services),
            job=observe_begin(workspace, release, observed, self.clock()),
            progress=observe_progress(workspace, release, observed, self.clock()),
        )
        if release and release.number != self.held.project.current:
            action = look_after(self.desired, release, observed, self.clock())
            return bounded(action, self.desired, self.clock())
        self.base_model = followed_base_model(self.desired, release)
        self.newest_base_model = observed.newest_base_model
        action = decide(self.desired, release, observed, self.clock())
        return bounded(action, self.desired, self.clock())

    def _live(self, release: Release | None) -> Release | None:
        """The release that is live, when a new one's metrics are held against its own.

        So it is when the new one has failed: what stands behind the live one is kept for it. While
        traffic moves, it matters whether it is live still, or had to be deployed again in vain.

        Raises:
            UnavailableError: it has no record, so nothing can be held against it.
        """
        phases = (Phase.EVALUATING, Phase.TESTING, Phase.SHIFTING, Phase.FAILED)
        if release is None or release.phase not in phases:
            return None
        owner, number = release.project, self.held.project.live
        if release.phase == Phase.EVALUATING:
            owner, number = sharing.held_against(self.held.project, self.services)
        if number is None or (owner, number) == (release.project, release.number):
            return None
        stored = self.services.release(owner, number)
        if stored is None and release.phase == Phase.EVALUATING:
            raise UnavailableError(f"the record of live release {number} has gone")
        return stored.value if stored else None

    def _verdict(self, release: Release | None, observed: Observed) -> Verdict:
        """What the policy says now."""
        policy, now = self.services.policy, self.clock()
        region = self.services.workspace.region if policy.allowed_regions else ""
        found = verdict(policy, release, region, now, self.desired.by)
        return replace(found, room=find_room(self.services, policy, release, observed, now))

    def _perform(self, action: Effect) -> None:
        log.info("project %s: %s", self.request.project, action)
        with tracing.spanned(type(action).__name__):
            self._do(action)
        self.work.follow(self.held.release)

    def _do(self, action: Effect) -> None:
        self.held.keep_turn()
        self.held.forget_look()
        self.held.performed += 1
        if isinstance(action, StartRelease):
            self._start_release()
        elif self.held.release is None:
            raise ValueError(f"{action} without a release")
        elif isinstance(action, PromoteRelease):
            self._promote(self.held.release)
        else:
            if isinstance(action, Advance) and action.phase == Phase.RETIRED:
                self._retire_live(self.held.release, action.reason)
            changed = act(action, self.held.release, self.services, self.clock())
            self.held.save_release(changed.replace(trouble=None, waiting=None))

    def _start_release(self) -> None:
        """Write the new release first, then point the project at it; both may happen again.

        What is begun, by whatever order, is not rejected any more. What the release before still
        owes people is posted first: nobody may look at it again.
        """
        self._post()
        project, now = self.held.project.allow(self.desired), self.clock()
        if self.held.release:
            project = project.remember(self.held.release)
        project = sharing.seeded(project, self.services)
        workspace = self.services.workspace.id
        newest = self.held.release
        release = start_release(self.desired, project, workspace, now, newest)
        cause = cause_of(self.desired, newest, read_orders(self.request.project, self.services))
        moved_by = newest.moved_by if newest else ()
        release = release.replace(cause=cause, trace=self.work.begun_by, moved_by=moved_by)
        adopted = self.held.load_release(release.adopts)
        if adopted:
            release = release.adopt(adopted.value)
        release = turns.queued(release, now)
        self.held.take(self.held.load_release(release.number))
        there = self.held.release
        if there is None or (there.fingerprint, there.adopts) != (
            release.fingerprint,
            release.adopts,
        ):
            self.held.save_release(release)
        endpoints = dict.fromkeys((*project.endpoints, release.endpoint))
        self.held.save_project(
            project.replace(
                current=release.number,
                endpoints=tuple(endpoints),
                autoscaled=release.autoscaled,
                trouble=None,
            )
        )

    def _promote(self, release: Release) -> None:
        """Mark the release that was live as superseded, then point the project at this one.

        What a pin has moved away from is marked as rejected, too, be it that it was superseded or
        had failed while it was deployed again.
        """
        project = self.held.project
        before = project.live
        old = self.held.load_release(before) if before != release.number else None
        if old and old.value.phase != Phase.RETIRED:
            old = self.held.write(old, self._left_behind(old.value, release))
        if old and old.value.rejected:
            project = project.reject(old.value, old.value.rejected)
        self.held.save_project(
            project.promote(release, release.entered(Phase.LIVE) or self.clock())
        )

    def _left_behind(self, old: Release, release: Release) -> Release:
        """What was live until this release is."""
        pin = self.held.project.pin
        if old.phase == Phase.LIVE:
            reason = f"release {release.number} is live"
            old = old.advance(Phase.SUPERSEDED, self.clock(), reason)
        if pin and release.adopts is not None and not old.equals(release):
            return old.replace(rejected=rejection(pin, old))
        return old

    def _retire_live(self, newest: Release, reason: str) -> None:
        """Mark the release that is live as retired, when another is the newest."""
        number = self.held.project.live
        live = self.held.load_release(number) if number != newest.number else None
        if live and live.value.phase == Phase.LIVE:
            self.held.write(live, live.value.advance(Phase.RETIRED, self.clock(), reason))

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
        message = str(error) if expected else explained(error) or _internal(error)
        holder: Release | Project = self.held.release or self.held.project
        before = holder.trouble or Trouble(message=message, since=self.clock(), count=0)
        count = before.count + 1
        trouble = before.replace(message=message, count=count)
        asked = error.seconds if isinstance(error, UnavailableError) else 0
        pause = max(asked, self._usual_pause() * 2.0 ** min(count - 1, 10))
        pause = min(LONGEST_PAUSE_SECONDS, pause)
        if self.held.release is None:
            self.held.save_project(self.held.project.replace(trouble=trouble, look=None))
            return pause
        release = self.held.release
        if not trouble.told and self.clock() - trouble.since > HELD_AFTER:
            trouble = trouble.replace(told=True)
            occasion = f"{names.digest(message)}:{trouble.since:%Y-%m-%dT%H}"
            release = turns.held(release, message, self.clock(), occasion, TRIED_AGAIN)
        self.held.save_release(release.replace(trouble=trouble))
        return pause

    def _post(self) -> None:
        """Hand over what people are owed; others deliver it."""
        if self.held.release is None:
            return
        release, channels = self.held.release, self.services.channels_of(self.request.project)
        posted = post(self.services, self.request.project, release.outbox, channels)
        self.held.save_release(release.replace(outbox=posted))

    def _show(self) -> None:
        """Let people see the release's phase as soon as it has come to it."""
        if self.shown != self.held.standing:
            self.shown = self.held.standing
            keep_card(self.request.project, self.services)

    def _is_overtaken(self) -> bool:
        """Whether this is a wake-up before which another look came, that asked for a later one."""
        asked, wake = self.request.wake, self.held.project.wake
        if asked is None or wake is None or asked == wake.id:
            return False
        return self.clock() <= wake.at + LOST_AFTER

    def _is_seen_to(self) -> bool:
        """Whether a whole look began after this event's request was put on the queue.

        So of many that have waited together only the first needs a look.
        """
        looked = self.held.project.looked
        if self.since is None or looked is None or self.held.is_moved:
            return False
        asks = self.request.event and not self.request.wake and not self.request.view
        return bool(asks) and looked > self.since + LATE

    def _arrange(self, pause: float | None, look: Look | None) -> None:
        """Ask for the next look, unless a message for it is on its way, and note this one.

        One that was due by now has been met by this look, be it that its message comes late; one
        that would find nothing yet is overtaken by a later one. `looked` tells those that have
        waited as long as this request.
        """
        now = self.clock()
        project = self.held.project
        wake = project.wake if project.wake and project.wake.at > now else None
        if wake and wake.id == self.request.wake:
            wake = None
        if pause is not None and not (wake and _meets(wake, now, pause)):
            wake = Wake(id=uuid.uuid4().hex, at=now + timedelta(seconds=pause))
            with tracing.placed(place_of(self.held.release)):
                self.services.queue.send(ProjectRequest(project=project.name, wake=wake.id), pause)
        look = look or project.look
        is_late = self.since is not None and self.begun > self.since + LATE
        looked = self.begun if is_late and not self.request.wake else project.looked
        if (wake, look, looked) != (project.wake, project.look, project.looked):
            self.held.save_project(project.replace(wake=wake, look=look, looked=looked))

    def _note_waiting(self, action: Idle | Wait) -> None:
        """Remember since when the release waits for what; what troubled it is over."""
        if self.held.project.held_back != self.followed.held_back:
            self.held.save_project(self.held.project.replace(held_back=self.followed.held_back))
        if self.held.release is None:
            self._note_before_first(action)
            return
        release = tell_pinned(self.held, self.held.release.replace(trouble=None), self.followed)
        if isinstance(action, Wait):
            self.held.save_release(wait(release, action, self.clock()))
        else:
            self.held.save_release(release.replace(waiting=None))

    def _note_before_first(self, action: Idle | Wait) -> None:
        """Without a release yet, what the project waits for is its trouble."""
        project, trouble = self.held.project, None
        if isinstance(action, Wait):
            trouble = project.trouble
            if trouble is None or trouble.message != action.reason:
                trouble = Trouble(message=action.reason, since=self.clock(), count=0)
        if trouble != project.trouble:
            self.held.save_project(project.replace(trouble=trouble))

    def _look(self) -> Look | None:
        """This look, which has found nothing to do now, where a resync has asked for it."""
        if self.request.view is None:
            return None
        return Look(
            view=self.request.view,
            at=self.clock(),
            base_model=self.base_model,
            newest_base_model=self.newest_base_model,
        )

    def _pause(self, action: Idle | Wait) -> float | None:
        """The seconds that an action asks to wait, None for no end."""
        if isinstance(action, Idle):
            return None
        return self._usual_pause() if action.seconds is None else action.seconds

    def _usual_pause(self) -> float:
        return self.services.settings.poll_seconds


def _meets(wake: Wake, now: datetime, pause: float) -> bool:
    """Whether this wake-up comes in time for a look after so many seconds, but not too early."""
    early, late = (now + timedelta(seconds=share * pause) for share in (1 - TOO_EARLY, 1))
    return early <= wake.at <= late


def _internal(error: Exception) -> str:
    """What people are told of an error that nobody foresaw: nothing that could be a secret."""
    return f"internal error ({type(error).__name__})"

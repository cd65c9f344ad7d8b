"""The decision: from what should be and what is, the one next thing to do.

Pure: no I/O, no clock. What comes next within a phase stands in `phases`; `act` does what it says.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from tuneops.actions import Action, Advance, CancelJob, DeleteDeployment, Idle, StartRelease
from tuneops.config import ProjectConfig
from tuneops.desired import Desired
from tuneops.healing import on_drift
from tuneops.observed import Observed
from tuneops.permission import permitted, thaw
from tuneops.phases.deploying import deploy
from tuneops.phases.draining import drain
from tuneops.phases.preparing import prepare
from tuneops.phases.serving import has_newer_base, let_go, live, rest, shift
from tuneops.phases.teardown import failed, job_to_cancel, retire
from tuneops.phases.testing import ask
from tuneops.phases.training import evaluate, register, train, unnoted
from tuneops.release import Phase, Release
from tuneops.rollout.progress import Progress
from tuneops.rollout.steps import take_back, under_way


def decide(desired: Desired, release: Release | None, observed: Observed, now: datetime) -> Action:
    """The next action for a project.

    `release` is the project's newest, None before the first. `now` is an aware time. A pin is an
    emergency, which no freeze holds up: it trains nothing.
    """
    if desired.adopts is not None and observed.verdict.freeze:
        observed = replace(observed, verdict=replace(observed.verdict, freeze=None))
    action = permitted(_next(desired, release, observed, now), observed.verdict, now)
    if release and isinstance(action, DeleteDeployment):
        return drain(action, release, observed, now) or action
    return action


def _next(desired: Desired, release: Release | None, observed: Observed, now: datetime) -> Action:
    """The next action, as if everything were allowed; a freeze alone has its say before that.

    While it lasts, what is under way is not made to wait for what may not begin.
    """
    if desired.standstill:
        return Idle(desired.standstill)
    if release and (note := unnoted(release, observed)):
        return note
    if release and _trains_for_nobody(release, desired, observed):
        return CancelJob()
    if desired.config is None:
        return retire(desired, release, observed)
    if release and release.phase == Phase.FAILED and (back := take_back(release, observed)):
        return back
    rejected = bool(observed.rejected) and not observed.retried
    if release is None or release.phase in (Phase.RETIRED, Phase.SUPERSEDED):
        if rejected:
            return Idle(observed.rejected)
        return StartRelease() if desired.source else Idle("waiting for data")
    freeze = observed.verdict.freeze
    known = desired.source is not None and not rejected
    outdated = known and _is_outdated(release, desired, observed)
    if outdated and not freeze:
        successor = _supersede(desired, release, observed)
        if successor is not None:
            return successor
    action = _drifted(desired.config, release, observed, now) or _BY_PHASE[release.phase](
        release, observed, now
    )
    return thaw(freeze, now) if freeze and outdated and isinstance(action, Idle) else action


def look_after(desired: Desired, live: Release, observed: Observed, now: datetime) -> Action:
    """The next action for the live release when the newest came to nothing: it is kept as it is.

    `observed` is what was seen of the live one. `now` is an aware time. The newest one takes down
    what is superseded behind its own endpoint alone.
    """
    config = desired.config
    if config is None or desired.standstill:
        return Idle("live")
    moves = config.endpoint.name != live.config.endpoint.name
    return (
        on_drift(config.drift, live, observed, now, newest=False)
        or (moves and let_go(live, observed, now))
        or rest(live)
    )


def _drifted(
    config: ProjectConfig, release: Release, observed: Observed, now: datetime
) -> Action | None:
    """What git says now of drift counts, not what it said when the release was made."""
    if release.phase != Phase.LIVE or observed.live_release != release.number:
        return None
    return on_drift(config.drift, release, observed, now)


def _trains_for_nobody(release: Release, desired: Desired, observed: Observed) -> bool:
    """Whether a job runs on that neither the release nor the next one will wait for.

    Its release ends first: else it might be wanted again, and find that its job was cancelled.
    """
    if not job_to_cancel(release, observed):
        return False
    if release.phase == Phase.PREPARING:
        return release.training is not None and not release.trains_by(release.left_job)
    ended = release.phase in (Phase.SUPERSEDED, Phase.FAILED)
    return ended and (desired.adopts is not None or not release.trains_like(desired))


def _is_outdated(release: Release, desired: Desired, observed: Observed) -> bool:
    """Whether something else is wanted than what the release is made of.

    An earlier version may have written its fingerprint, by other names of the same settings.
    """
    if observed.retried and release.phase == Phase.FAILED:
        return True
    if release.forbidden and not observed.verdict.violations:
        return True
    if desired.adopts is not None:
        itself = desired.adopts == release.number and release.phase != Phase.FAILED
        return not itself and desired.adopts != release.adopts
    if desired.fingerprint != release.fingerprint and desired.fingerprint != release.made_of:
        return True
    if release.forbidden:
        return False
    follows = release.config.model.follow == "latest"
    return follows and release.phase.settled and has_newer_base(release, observed)


def _supersede(desired: Desired, release: Release, observed: Observed) -> Action | None:
    """Make way for what is desired now; None to let a release under way finish first.

    One that has no room below the limit of costs may never finish, so nothing waits for that.
    """
    if release.phase == Phase.LIVE and observed.live_release != release.number:
        return None
    if release.phase.ended:
        return StartRelease()
    finishes = desired.config is not None and desired.config.in_flight == "finish"
    if release.phase == Phase.SHIFTING:
        return _step_aside(desired, release, observed, finishes=finishes)
    if finishes and not (observed.verdict.room and observed.verdict.room.is_full):
        return None
    return _make_way(desired)


def _make_way(desired: Desired) -> Action:
    if desired.adopts is not None:
        return Advance(Phase.SUPERSEDED, f"the project is pinned to release {desired.adopts}")
    return Advance(Phase.SUPERSEDED, f"replaced by {desired.path} at {desired.commit[:8]}")


def _step_aside(
    desired: Desired, release: Release, observed: Observed, *, finishes: bool
) -> Action | None:
    """End a rollout at one of its steps; None when it goes on, as a pin never lets it.

    The last shift of traffic is finished, and so is what is being aborted. One that is held, or
    waits for a person, has no end of its own, so nothing waits for that.
    """
    progress = release.rollout or Progress()
    asks = release.approval is not None and release.approval.is_open
    if finishes and desired.adopts is None and not progress.held and not asks:
        return None
    if progress.aborted or (under_way(release, observed) is None and not asks):
        return None
    return take_back(release, observed) or _make_way(desired)


_BY_PHASE: dict[Phase, Callable[[Release, Observed, datetime], Action]] = {
    Phase.PREPARING: prepare,
    Phase.TRAINING: train,
    Phase.EVALUATING: evaluate,
    Phase.REGISTERING: register,
    Phase.DEPLOYING: deploy,
    Phase.TESTING: ask,
    Phase.SHIFTING: shift,
    Phase.LIVE: live,
    Phase.FAILED: failed,
}

"""The next thing to do while traffic moves to a new deployment. Pure.

A step lasts from when its traffic is in place until its pause is over and the figures of all of it
are to be seen. They are looked at every minute: what is proven to fail aborts at once.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tuneops.actions import (
    Abort,
    Action,
    BeginStep,
    Fail,
    Hold,
    NextStep,
    ReadFigures,
    ShareTraffic,
    Wait,
)
from tuneops.behaviour.comparison import vouches
from tuneops.drift import is_known
from tuneops.observed import Endpoint, Observed
from tuneops.patience import SLOW
from tuneops.release import Phase, Release
from tuneops.rollout.approval import Move, gate, let_go, refused
from tuneops.rollout.approval_text import waiting_text
from tuneops.rollout.progress import Judgement, Progress
from tuneops.rollout.text import progress_text, reasons_text, share_text

MINUTE = timedelta(minutes=1)
MAX_SHIFTS = 3
"""So often a step's traffic is set; when it is changed once more, somebody means it."""


@dataclass(frozen=True)
class Step:
    """A share of the traffic for the new deployment, in percent; `mirrored`: only copies of it."""

    share: int
    mirrored: bool = False

    def is_in_place(self, endpoint: Endpoint, new: str, live: str) -> bool:
        """Whether the endpoint's traffic is the step's."""
        traffic, mirror = dict(endpoint.traffic), dict(endpoint.mirror_traffic)
        if self.mirrored:
            return (traffic, mirror) == ({live: 100}, {new: self.share})
        return (traffic, mirror) == ({live: 100 - self.share, new: self.share}, {})

    @property
    def level(self) -> int:
        """How much of the traffic is its own, in percent; that of mirrored requests is 0."""
        return 0 if self.mirrored else self.share

    def __str__(self) -> str:
        return share_text(self.share, mirrored=self.mirrored)


def steps_of(release: Release) -> tuple[Step, ...]:
    """The steps before all traffic goes to the release; a pin is an emergency and has none."""
    settings = release.config.rollout
    if release.adopts is not None:
        return ()
    mirrored = (Step(settings.mirror_percent, mirrored=True),)
    first = mirrored if settings.strategy == "shadow" else ()
    return (*first, *(Step(share) for share in settings.shares))


def under_way(release: Release, observed: Observed) -> Step | None:
    """The step that a rollout is at; None when all traffic goes to the release now.

    So it does when nothing is served as the rollout begins.
    """
    endpoint, progress = observed.endpoint, release.rollout or Progress()
    if endpoint is None or release.training is None:
        return None
    live = observed.incumbent(release.deployment_name)
    if not live or not (release.rollout or endpoint.takes_traffic(live)):
        return None
    steps = steps_of(release)
    return steps[progress.step] if progress.step < len(steps) else None


def standing(release: Release, now: datetime) -> str:
    """Where a rollout stands at one of its steps, for people; empty before and after them."""
    steps, progress = steps_of(release), release.rollout
    if release.phase != Phase.SHIFTING or progress is None or progress.step >= len(steps):
        return ""
    step, question = steps[progress.step], release.approval
    said = progress_text(progress, step.share, now, mirrored=step.mirrored)
    if question and question.is_open:
        return f"{said}; {waiting_text(release.project, question)}"
    return said


def share_of(release: Release) -> int:
    """How much of the traffic a release has, in percent, as far as its record says."""
    steps, progress = steps_of(release), release.rollout
    if release.phase == Phase.LIVE:
        return 100
    if release.phase != Phase.SHIFTING or progress is None or progress.aborted:
        return 0
    reached = progress.step if progress.since else progress.step - 1
    return steps[min(reached, len(steps) - 1)].level if steps and reached >= 0 else 0


def onward(
    release: Release, observed: Observed, endpoint: Endpoint, now: datetime
) -> Action | None:
    """The next action; None when all traffic is to go to the release.

    `endpoint` has the release's deployment and is not being changed.
    """
    progress, live = release.rollout or Progress(), observed.incumbent(release.deployment_name)
    if progress.aborted:
        verb = "is back" if progress.step or progress.shifts else "stays"
        back = f"; all traffic {verb} on {live}" if live else ""
        return take_back(release, observed) or Fail(f"{progress.aborted}{back}")
    if rejection := refused(release, observed):
        return rejection
    step = under_way(release, observed)
    if step is None:
        return before_all(release, observed, endpoint, now)
    begun = progress.step or progress.shifts or progress.since
    if not begun and (pending := gate(release, observed, Move(-1, step.level), now)):
        return _meanwhile(release, observed, pending)
    if not step.is_in_place(endpoint, release.deployment_name, live):
        if progress.shifts >= MAX_SHIFTS:
            return Abort(f"rollout: somebody else changes the traffic of {endpoint.name} at {step}")
        return ShareTraffic(live, step.share, step.mirrored)
    if progress.since is None:
        return BeginStep(live, step.share, step.mirrored)
    action = _verdict(release, progress, progress.since, observed, now)
    if action is None:
        return _look(release, progress, progress.since, observed, now)
    if isinstance(action, Wait):
        return _sooner(action, _look(release, progress, progress.since, observed, now))
    return action


def before_all(
    release: Release, observed: Observed, endpoint: Endpoint, now: datetime
) -> Action | None:
    """What is to be done before all traffic goes to the release; None: nothing.

    Nobody is asked about what is live already, such as the deployment of the release before.
    """
    progress, steps, question = release.rollout, steps_of(release), release.approval
    name = release.deployment_name
    there = dict(endpoint.traffic) == {name: 100} and not observed.incumbent(name)
    if there and not (question and question.is_open):
        return None
    if progress and progress.step >= len(steps):
        return None
    level = steps[progress.step].level if progress else -1
    pending = gate(release, observed, Move(level, 100), now)
    return _meanwhile(release, observed, pending) if pending else None


def next_move(release: Release) -> Move:
    """From the step that a rollout is at to what comes then."""
    steps, number = steps_of(release), release.rollout.step if release.rollout else 0
    after = steps[number + 1].level if number + 1 < len(steps) else 100
    return Move(steps[number].level, after)


def take_back(release: Release, observed: Observed) -> Action | None:
    """Give the traffic of a release that does not become live back; None when it has none."""
    endpoint = observed.endpoint
    shifting = release.phase in (Phase.SHIFTING, Phase.FAILED)
    if endpoint is None or release.training is None or not shifting:
        return None
    if not is_known(release, endpoint):
        return None
    live, name = observed.incumbent(release.deployment_name), release.deployment_name
    if not live or not (endpoint.takes_traffic(name) or endpoint.mirror_traffic.get(name)):
        return None
    if endpoint.changing:
        return Wait(f"endpoint {endpoint.name} is {endpoint.state}", patience=SLOW)
    return ShareTraffic(live, 0, again=endpoint.broken)


def _meanwhile(release: Release, observed: Observed, pending: Action) -> Action:
    """While the release waits for its first traffic, it has none, whoever gave it some."""
    back = take_back(release, observed) if isinstance(pending, Wait) else None
    return back or pending


def _sooner(waits: Wait, look: Action) -> Action:
    """The figures are looked at while somebody is waited for."""
    if not isinstance(look, Wait) or waits.seconds is None or look.seconds is None:
        return look
    return replace(waits, seconds=min(waits.seconds, look.seconds))


def _verdict(
    release: Release, progress: Progress, since: datetime, observed: Observed, now: datetime
) -> Action | None:
    """What the newest judgement makes of the step; None while more is to be seen."""
    judged, settings = progress.judged, release.config.rollout
    if judged is None:
        return None
    if judged.analysis.verdict == "fail":
        return Abort(f"rollout: {reasons_text(judged)}")
    over = since + timedelta(minutes=settings.pause_minutes)
    if judged.until < over:
        return None
    if judged.analysis.verdict == "pass":
        return gate(release, observed, next_move(release), now) or NextStep()
    if judged.until < over + timedelta(minutes=settings.wait_for_traffic_minutes):
        return None
    return _on_insufficient_traffic(release, progress, judged, observed, now)


def _on_insufficient_traffic(
    release: Release, progress: Progress, judged: Judgement, observed: Observed, now: datetime
) -> Action:
    settings, move = release.config.rollout, next_move(release)
    if settings.on_insufficient_traffic == "continue":
        return gate(release, observed, move, now) or NextStep()
    by_sets = settings.on_insufficient_traffic == "behaviour" and judged.analysis.thin
    if by_sets and vouches(release.behaviour, judged.live.deployment):
        return gate(release, observed, move, now) or NextStep()
    minutes = settings.pause_minutes + settings.wait_for_traffic_minutes
    why = f"rollout: not clear after {minutes:g} min {reasons_text(judged)}"
    if settings.on_insufficient_traffic == "abort":
        return Abort(why)
    if not progress.held:
        return Hold(why)
    return let_go(release, observed, move, now) or NextStep()


def _look(
    release: Release, progress: Progress, since: datetime, observed: Observed, now: datetime
) -> Action:
    """Read the figures when there is more to see than the last time, or wait for that."""
    pause = timedelta(minutes=release.config.rollout.pause_minutes)
    begin, seen = _next_minute(since), now - observed.metrics_delay
    due = begin if progress.judged is None else progress.judged.until + min(MINUTE, pause)
    if progress.judged and progress.judged.until < since + pause:
        due = min(due, max(since + pause, begin))
    if seen > begin and seen >= due:
        return ReadFigures(observed.incumbent(release.deployment_name), begin, seen)
    seconds = max(1.0, (max(due, begin) - seen).total_seconds())
    return Wait(f"rollout: {under_way(release, observed)}", seconds)


def _next_minute(at: datetime) -> datetime:
    """Figures come by whole minutes, and those of the smoke test are to be left out."""
    whole = at.replace(second=0, microsecond=0)
    return whole if whole == at else whole + MINUTE

"""The turns of a release on its way, as people are told of them. Pure."""

from datetime import datetime

from tuneops.evaluation.checks import Outcome, failures
from tuneops.notify import figures, following
from tuneops.notify.messages import tell
from tuneops.notify.model import short
from tuneops.release import Phase, Release
from tuneops.rollout.text import judgement_text


def queued(release: Release, now: datetime) -> Release:
    """A release has begun."""
    return tell(release, "queued", release.reason, now, following=following.queued(release))


def submitted(release: Release, now: datetime) -> Release:
    """Its job was submitted."""
    rows = release.data.train_rows if release.data else 0
    return tell(
        release,
        "submitted",
        f"job {release.job_name}: {rows:,} rows on {short(release.plan.base_model)}",
        now,
        figure=figures.foretold(release),
        following=following.submitted(release),
    )


def trained(release: Release, now: datetime) -> Release:
    """Its metrics were checked."""
    return tell(
        release,
        "trained",
        _checked(release),
        now,
        figure=figures.against_live(release) or "no metrics were logged",
        following=following.trained(release),
    )


def aborted(release: Release, now: datetime) -> Release:
    """Its rollout is given up; where it has no traffic to give back its end says all."""
    progress = release.rollout
    if progress is None or not (progress.step or progress.shifts):
        return release
    judged = progress.judged
    return tell(
        release,
        "aborted",
        progress.aborted,
        now,
        figure=judgement_text(judged) if judged else "",
        following=following.aborted(judged.live.deployment if judged else ""),
    )


def superseded(release: Release, deployment: str, now: datetime) -> Release:
    """What was live before goes: behind the release that is, or to make room for the next."""
    name = deployment.rpartition("/")[2]
    is_live = release.phase == Phase.LIVE
    return tell(
        release,
        "torn_down",
        f"deployment {deployment} is superseded and being deleted",
        now,
        name,
        why=f"release {release.number} is {'live' if is_live else 'being deployed'}",
    )


def newer_base_model(release: Release, now: datetime) -> Release:
    """The registry has a newer version of the base model than it was trained on."""
    newest = short(release.reported_base_model)
    return tell(
        release,
        "newer_base_model",
        f"the registry has {newest}, {short(release.plan.base_model)} is in use",
        now,
        newest.rpartition(":")[2],
        why="the registry was looked at",
        following="nothing changes by itself: set model.version, or model.follow: latest",
    )


def held(release: Release, text: str, now: datetime, occasion: str, after: str) -> Release:
    """It waits for longer than it should, or can't go on now; `after` says what comes then."""
    return tell(release, "held", text, now, occasion=occasion, following=after)


def _checked(release: Release) -> str:
    """How the checks of the metrics ended."""
    against = failures(release.checks)
    if against:
        return f"the metrics do not pass: {'; '.join(against)}"
    passed = sum(check.outcome == Outcome.PASSED for check in release.checks)
    return f"{passed} {'check' if passed == 1 else 'checks'} of the metrics passed"

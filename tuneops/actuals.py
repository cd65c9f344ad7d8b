"""What a release took, by its own document. Pure."""

import math

from tuneops.estimates import Actuals, JobTimes, Measured
from tuneops.forecast import HOUR, cost_of, gpus_of, kind_of, load_of
from tuneops.prepared import PreparedData
from tuneops.release import Phase, Release

NOT_BEGUN = "no training was begun"
NOT_ENDED = "the training did not end"
NOT_TOLD = "how long the job trained is not known"


def actuals(release: Release) -> Actuals:
    """What the release took until its first end, or until it came to its phase.

    A training is counted where it was this release that began the job; one that came upon a job of
    another release took no hours of its own.
    """
    phases, data = seconds_by_phase(release), release.data
    found = Actuals(
        rows=data.train_rows if data else 0,
        phases=phases,
        live_seconds=sum(phases.values()) if release.entered(Phase.LIVE) else None,
    )
    if data is None or release.training is None or release.entered(Phase.TRAINING) is None:
        return found.replace(seconds=0.0, gpu_hours=0.0, note=NOT_BEGUN)
    if release.metrics is None:
        return found.replace(note=NOT_ENDED)
    ended = release.entered(Phase.EVALUATING) is not None
    times = release.metrics.times or JobTimes()
    tokens = _tokens(release, data, ended=ended)
    if not _is_own(release, times):
        owner = f"release {times.release}" if times.release else "another release"
        return found.replace(
            seconds=0.0,
            gpu_hours=0.0,
            note=f"no training: job {release.job_name} of {owner} was there already",
            measured=_measured(release, times, tokens, None) if ended else None,
        )
    found = found.replace(
        tokens=tokens,
        steps=_last_step(release),
        measured=_measured(release, times, tokens, found.live_seconds) if ended else None,
        note="" if ended else NOT_ENDED,
    )
    if times.seconds is None:
        return found.replace(note=NOT_TOLD)
    return _priced(found, release, times.seconds)


def seconds_by_phase(release: Release) -> dict[str, float]:
    """How long the release was in each phase until its first end, in the order of its phases."""
    found: dict[str, float] = {}
    for entry, following in zip(release.history, release.history[1:], strict=False):
        if entry.phase.ended:
            break
        lasted = (following.at - entry.at).total_seconds()
        found[entry.phase] = found.get(entry.phase, 0.0) + max(0.0, lasted)
    return found


def _priced(found: Actuals, release: Release, seconds: float) -> Actuals:
    """With what so many seconds of the training's nodes cost, by the price of the forecast."""
    foretold = release.forecast
    price = foretold.price if foretold else None
    return found.replace(
        seconds=seconds,
        gpu_hours=seconds * gpus_of(release.plan) / HOUR,
        price=price,
        cost=None if price is None else cost_of(seconds, release.plan, price),
        currency=foretold.currency if foretold else "",
    )


def _is_own(release: Release, times: JobTimes) -> bool:
    """Whether the release began the job itself: the job's tag says so, or its history does."""
    return release.submitted or times.release == str(release.number)


def _measured(
    release: Release, times: JobTimes, tokens: int | None, live_seconds: float | None
) -> Measured | None:
    """The job's training for later forecasts, whoever began it."""
    if not times.seconds or not tokens:
        return None
    return Measured(
        job=release.job_name,
        kind=kind_of(release.plan),
        gpus=gpus_of(release.plan),
        tokens=tokens,
        seconds=times.seconds,
        loop_seconds=min(times.loop_seconds or 0.0, times.seconds),
        around_seconds=0.0 if live_seconds is None else max(0.0, live_seconds - times.seconds),
    )


def _tokens(release: Release, data: PreparedData, *, ended: bool) -> int | None:
    """The tokens that were gone through: by the epochs that the job logged, else as planned.

    None when the job did not come to its end and logged none.
    """
    planned = load_of(release.plan, data)
    epochs = release.metrics.values.get("epoch", 0.0) if release.metrics else 0.0
    if not math.isfinite(epochs) or epochs <= 0:
        return planned.tokens if ended else None
    return round(planned.epoch_tokens * epochs)


def _last_step(release: Release) -> int | None:
    """The last step that a metric was logged at."""
    curves = release.metrics.curves.values() if release.metrics else ()
    return max((points[-1].step for points in curves if points), default=None)

"""What a release trained with and what came of it, beside another release. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from tuneops.chart.plan import plan
from tuneops.chart.svg import svg
from tuneops.estimate_text import duration
from tuneops.evaluation.directions import greater_is_better
from tuneops.loss_curves import loss_curves
from tuneops.notify.messages import shown_metrics
from tuneops.outcome import Change, outcome
from tuneops.page.texts import MAX_NAME, line
from tuneops.phase import Phase
from tuneops.release import Metrics, Release

MAX_METRICS = 60
MAX_CHANGES = 60
MAX_PARAMETERS = 200


@dataclass(frozen=True)
class Figure:
    """A metric beside that of the other release; `tone` is better or worse, if that is known."""

    name: str
    value: float
    before: float | None = None
    change: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Input:
    """An input of the component, with where its value comes from."""

    name: str
    value: str
    origin: str


@dataclass(frozen=True)
class Going:
    """How far a training has come: a share from 0 to 1 if it is known, and that in words."""

    share: float | None
    text: str
    left: str = ""


def curves(release: Release) -> Markup | None:
    """The losses, drawn; None when there are none."""
    chart = plan(loss_curves(release), f"Loss of release {release.number}")
    return svg(chart) if chart.lines else None


def going(release: Release, now: datetime) -> Going | None:
    """How far the training has come; None while nothing trains, or nothing is known."""
    progress = release.progress
    if release.phase != Phase.TRAINING or progress is None or not progress.run:
        return None
    if not progress.curves:
        return Going(None, "the step that trains has begun, and has logged no loss yet")
    of = f" of about {progress.steps:,}" if progress.steps else ""
    epoch = f", epoch {progress.epoch:.3g}" if progress.epoch is not None else ""
    loss = f", loss {progress.loss:.4g}" if progress.loss is not None else ""
    left = (progress.ends_at - now).total_seconds() if progress.ends_at else 0.0
    return Going(
        share=progress.share,
        text=f"step {progress.step:,}{of}{epoch}{loss}",
        left=f"about {duration(left)} left" if left > 0 else "",
    )


def figures(metrics: Metrics | None, before: Metrics | None) -> tuple[Figure, ...]:
    """The metrics, those that matter first."""
    values, known = (each.values if each else {} for each in (metrics, before))
    first = shown_metrics(values)
    names = [*first, *(name for name in sorted(values) if name not in first)]
    return tuple(_figure(name, values[name], known.get(name)) for name in names[:MAX_METRICS])


def changes(release: Release, before: Release | None) -> tuple[Change, ...]:
    """What the release was made of otherwise than the one before."""
    if before is None or release.training is None or before.training is None:
        return ()
    found = outcome(release.config, release.training, before.config, before.training)
    return found.changes[:MAX_CHANGES]


def inputs(release: Release) -> tuple[Input, ...]:
    """All inputs of the component."""
    return tuple(_inputs(release))[:MAX_PARAMETERS]


def _inputs(release: Release) -> Iterator[Input]:
    given = release.training.parameters if release.training else {}
    for name, parameter in sorted(given.items()):
        yield Input(line(name, MAX_NAME), line(str(parameter.value)), parameter.origin)


def _figure(name: str, value: float, before: float | None) -> Figure:
    shown = line(name, MAX_NAME)
    if before is None:
        return Figure(shown, value)
    difference = value - before
    change = f"{100 * difference / abs(before):+.1f} %" if before else f"{difference:+.3g}"
    rising = greater_is_better(name)
    if not difference or rising is None:
        return Figure(shown, value, before, change if difference else "as before")
    return Figure(shown, value, before, change, "better" if rising == (difference > 0) else "worse")

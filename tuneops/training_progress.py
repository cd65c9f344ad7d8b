"""How far a training has come, by what its run has logged last; a look adds to it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tuneops import parameters
from tuneops.curves import MAX_POINTS, Curve, Point, thinned
from tuneops.document import Document
from tuneops.parameters import Parameter

DRAWN = ("loss", "eval_loss")
EPOCH = "epoch"
MISSED_PAUSE = timedelta(minutes=5)
"""So long a tracking server that did not answer is left alone: each try may hold up a worker."""
_LEAST_EPOCH = 0.02
"""Before, the epoch that is logged has too few digits to count the steps by."""


@dataclass(frozen=True)
class Seen:
    """What a run has logged last: the value of each metric with its step, and when that was."""

    run: str
    logged: Mapping[str, Point] = field(default_factory=dict)
    at: datetime | None = None


class TrainingProgress(Document):
    """How far a training has come.

    `run` is the one that logs. `steps` are those that it is likely to take in all, `began` is when
    the first that was seen, `began_step`, was logged, `at` when the last was, `ends_at` when the
    last of all is likely to be. `missed_at` is when the tracking server could not be asked.
    """

    run: str = ""
    step: int = 0
    steps: int | None = None
    epoch: float | None = None
    curves: tuple[Curve, ...] = ()
    began: datetime | None = None
    began_step: int = 0
    at: datetime | None = None
    ends_at: datetime | None = None
    missed_at: datetime | None = None

    @property
    def share(self) -> float | None:
        """The part that is done, from 0 to 1."""
        return min(1.0, self.step / self.steps) if self.steps else None

    @property
    def loss(self) -> float | None:
        """The training loss that was logged last."""
        found = (curve.points[-1][1] for curve in self.curves if curve.name == DRAWN[0])
        return next(found, None)


def may_ask(before: TrainingProgress | None, now: datetime) -> bool:
    """Whether the tracking server is to be asked now."""
    missed_at = before.missed_at if before else None
    return missed_at is None or now - missed_at >= MISSED_PAUSE


def missed(before: TrainingProgress | None, now: datetime) -> TrainingProgress:
    """The progress when the tracking server could not be asked."""
    return (before or TrainingProgress()).replace(missed_at=now)


def advanced(
    before: TrainingProgress | None, seen: Seen, inputs: Mapping[str, Parameter]
) -> TrainingProgress:
    """The progress with what was seen now.

    A run that logs an earlier step than before was begun again, as on a node of low priority.
    """
    known = before if before and before.run == seen.run else TrainingProgress(run=seen.run)
    known = known.replace(missed_at=None)
    if not seen.logged or seen.at is None:
        return known
    step = round(max(at for at, _ in seen.logged.values()))
    if known.began is None or step < known.step:
        known = known.replace(began=seen.at, began_step=step)
    epoch = seen.logged[EPOCH][1] if EPOCH in seen.logged else None
    found = known.replace(
        step=step,
        epoch=epoch,
        steps=_steps(step, epoch, inputs),
        at=seen.at,
        curves=tuple(filter(None, (_longer(known, name, seen) for name in DRAWN))),
    )
    return found.replace(ends_at=_ends_at(found))


def _longer(known: TrainingProgress, name: str, seen: Seen) -> Curve | None:
    """The curve with the value that was logged last; what is later than that is of no more use."""
    points = next((curve.points for curve in known.curves if curve.name == name), ())
    if name in seen.logged:
        step, value = seen.logged[name]
        points = (*(point for point in points if point[0] < step), (step, value))
    if len(points) > MAX_POINTS:
        points = thinned(points, MAX_POINTS // 2)
    return Curve(name=name, points=points) if points else None


def _steps(step: int, epoch: float | None, inputs: Mapping[str, Parameter]) -> int | None:
    """All the steps: those that are given, else by the epochs and how long one of them was."""
    given = parameters.values(inputs)
    if (most := int(given.get("max_steps", -1))) > 0:
        return most
    if epoch is None or epoch < _LEAST_EPOCH:
        return None
    return max(step, round(step / epoch * int(given.get("num_train_epochs", 1))))


def _ends_at(progress: TrainingProgress) -> datetime | None:
    """When the last step is likely, if those to come take as long as those that were seen."""
    began, at, steps = progress.began, progress.at, progress.steps
    done = progress.step - progress.began_step
    if began is None or at is None or steps is None or done <= 0:
        return None
    return at + (at - began) / done * (steps - progress.step)

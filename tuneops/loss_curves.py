"""The curves of a training, and those of them that people look at first. Pure."""

from collections.abc import Iterable

from tuneops.curves import Curve, thinned
from tuneops.evaluation.figures import EVAL_LOSS, TRAIN_LOSS
from tuneops.release import Metrics, Release

STEP_LOSS = "loss"


def loss_curves(release: Release) -> tuple[Curve, ...]:
    """The course of the training loss and of the evaluation loss, as far as they were logged.

    While the job trains they are what was seen so far; then they are what was read of it.
    """
    if release.metrics is None:
        return release.progress.curves if release.progress else ()
    training = STEP_LOSS if STEP_LOSS in release.metrics.curves else TRAIN_LOSS
    return curves(release.metrics, (training, EVAL_LOSS))


def curves(metrics: Metrics, names: Iterable[str]) -> tuple[Curve, ...]:
    """The courses of the metrics of these names, as far as they were logged, thinned."""
    found = metrics.curves
    return tuple(
        Curve(name=name, points=thinned([(float(p.step), p.value) for p in found[name]]))
        for name in names
        if name in found
    )

"""The curves of a training that people look at first. Pure."""

from tuneops.curves import Curve, thinned
from tuneops.evaluation.figures import EVAL_LOSS, TRAIN_LOSS
from tuneops.release import Release

STEP_LOSS = "loss"


def loss_curves(release: Release) -> tuple[Curve, ...]:
    """The course of the training loss and of the evaluation loss, as far as they were logged.

    While the job trains they are what was seen so far; then they are what was read of it.
    """
    if release.metrics is None:
        return release.progress.curves if release.progress else ()
    found = release.metrics.curves
    training = STEP_LOSS if STEP_LOSS in found else TRAIN_LOSS
    return tuple(
        Curve(name=name, points=thinned([(float(p.step), p.value) for p in found[name]]))
        for name in (training, EVAL_LOSS)
        if name in found
    )

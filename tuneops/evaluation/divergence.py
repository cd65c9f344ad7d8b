"""Whether a training went astray: losses that are no numbers, or that rise."""

from collections.abc import Iterator
from statistics import median

from tuneops.evaluation.checks import Check, inapplicable, judged
from tuneops.evaluation.directions import is_loss
from tuneops.evaluation.figures import (
    EVAL_LOSS,
    TIME_BESIDE,
    figure,
    training_course,
    unreported,
    window,
)
from tuneops.evaluation.settings import Divergence, Evaluation
from tuneops.release import Metrics

LEAST_POINTS = 10
NOISE = 0.1


def divergence(metrics: Metrics, evaluation: Evaluation) -> Iterator[Check]:
    """Whether every loss is a number, and whether the training loss has risen."""
    yield from _numbers(metrics, evaluation)
    yield _rise(metrics, evaluation.divergence)


def expected_losses(metrics: Metrics, evaluation: Evaluation) -> set[str]:
    """The losses that must have been logged; without any thresholds eval_loss is one."""
    beside = {loss for loss, time in TIME_BESIDE.items() if time in metrics.values}
    return beside if evaluation.thresholds else beside | {EVAL_LOSS}


def _numbers(metrics: Metrics, evaluation: Evaluation) -> Iterator[Check]:
    wrong = {name for name in metrics.not_finite if is_loss(name)}
    expected = expected_losses(metrics, evaluation)
    wrong |= {name for name in expected if figure(metrics, name) is None}
    for name in sorted(wrong):
        yield judged("divergence", name, good=False, text=unreported(metrics, name))
    if not wrong:
        yield judged("divergence", "loss", good=True, text="all losses are numbers")


def _rise(metrics: Metrics, settings: Divergence) -> Check:
    name, metric = "divergence.max_rise_percent", "loss"
    course = training_course(metrics)
    if len(course) < LEAST_POINTS:
        text = f"{len(course)} training losses were logged, too few to tell whether they rise"
        return inapplicable(name, metric, text)
    size = window(course)
    began, ended = median(course[:size]), median(course[-size:])
    bound = began + max(abs(began) * settings.max_rise_percent / 100, NOISE)
    good = ended <= bound
    text = f"the training loss began at {began:.4g} and ended at {ended:.4g}"
    text += "" if good else f": the training diverged, above {bound:.4g}; lower the learning_rate"
    return judged(name, metric, good=good, text=text, new=ended, bound=bound)

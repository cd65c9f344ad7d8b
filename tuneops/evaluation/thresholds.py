"""Absolute bounds of metrics."""

from collections.abc import Iterator

from tuneops.evaluation.checks import Check, judged
from tuneops.evaluation.figures import figure, unreported
from tuneops.evaluation.settings import Evaluation, Threshold
from tuneops.release import Metrics

SETTING = "thresholds"


def thresholds(metrics: Metrics, evaluation: Evaluation) -> Iterator[Check]:
    """One check for each metric that has bounds; a metric that is missing fails."""
    for name, wanted in evaluation.thresholds.items():
        value = figure(metrics, name)
        if value is None:
            yield judged(SETTING, name, good=False, text=unreported(metrics, name))
        else:
            yield _check(name, value, wanted)


def _check(metric: str, value: float, wanted: Threshold) -> Check:
    text = f"{metric} is {value:.4g}"
    good, bound = True, wanted.min if wanted.max is None else wanted.max
    if wanted.max is not None and value > wanted.max:
        good, text = False, f"{text}, above {wanted.max:.4g}"
    elif wanted.min is not None and value < wanted.min:
        good, bound, text = False, wanted.min, f"{text}, below {wanted.min:.4g}"
    return judged(SETTING, metric, good=good, text=text, new=value, bound=bound)

"""Whether a model has learned its training rows by heart."""

from collections.abc import Iterator

from tuneops.evaluation.checks import Check, inapplicable, judged
from tuneops.evaluation.figures import (
    EVAL_LOSS,
    figure,
    last_training_loss,
    training_course,
    unreported,
)
from tuneops.evaluation.settings import Overfitting
from tuneops.release import Metrics


def overfitting(metrics: Metrics, settings: Overfitting) -> Iterator[Check]:
    """One check for each of the settings that is given."""
    if settings.max_gap_percent is not None:
        yield _gap(metrics, settings.max_gap_percent)
    if settings.max_rise_percent is not None:
        yield _rise(metrics, settings.max_rise_percent)


def _gap(metrics: Metrics, percent: float) -> Check:
    name = "overfitting.max_gap_percent"
    evaluated, trained = figure(metrics, EVAL_LOSS), last_training_loss(metrics)
    if evaluated is None:
        return judged(name, EVAL_LOSS, good=False, text=unreported(metrics, EVAL_LOSS))
    if trained is None:
        text = f"no training loss was logged to compare {EVAL_LOSS} {evaluated:.4g} with"
        return judged(name, EVAL_LOSS, good=False, text=text, new=evaluated)
    bound = trained + abs(trained) * percent / 100
    good = evaluated <= bound
    text = f"{EVAL_LOSS} is {evaluated:.4g} and the last training loss {trained:.4g}"
    text += "" if good else f": more than {percent:g} % above it, the model overfits"
    return judged(name, EVAL_LOSS, good=good, text=text, new=evaluated, bound=bound)


def _rise(metrics: Metrics, percent: float) -> Check:
    name = "overfitting.max_rise_percent"
    last = figure(metrics, EVAL_LOSS)
    if last is None:
        return judged(name, EVAL_LOSS, good=False, text=unreported(metrics, EVAL_LOSS))
    course = metrics.curves.get(EVAL_LOSS, ())
    if not course:
        text = f"{EVAL_LOSS} was logged once alone: it has risen from nothing"
        return inapplicable(name, EVAL_LOSS, text, new=last)
    best = min(course, key=lambda point: point.value)
    bound = best.value + abs(best.value) * percent / 100
    good = last <= bound
    text = f"{EVAL_LOSS} ended at {last:.4g}, its lowest was {best.value:.4g} at step {best.step}"
    text += "" if good else f": a rise of more than {percent:g} %{_meanwhile(metrics)}"
    return judged(name, EVAL_LOSS, good=good, text=text, new=last, bound=bound)


def _meanwhile(metrics: Metrics) -> str:
    course = training_course(metrics)
    fell = bool(course) and course[-1] < course[0]
    return f", while the training loss fell to {course[-1]:.4g}" if fell else ""

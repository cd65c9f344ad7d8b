"""The metrics that a job logged, as Hugging Face's Trainer names them."""

import math
from collections.abc import Sequence

from tuneops.release import Metrics

EVAL_LOSS = "eval_loss"
TRAIN_LOSS = "train_loss"
TIME_BESIDE = {EVAL_LOSS: "eval_runtime", TRAIN_LOSS: "train_runtime"}
"""The Trainer logs each of these two losses beside its time.

The component leaves out what became NaN (azureml-acft-contrib-hf-nlp 0.0.91, utils/callbacks.py):
a time without its loss is a loss that was no number.
"""
LEAST_WINDOW = 3


def figure(metrics: Metrics, name: str) -> float | None:
    """The value of a metric, None when there is none that can be weighed."""
    value = metrics.values.get(name)
    return value if value is not None and math.isfinite(value) else None


def unreported(metrics: Metrics, name: str) -> str:
    """Why there is no value of a metric."""
    if name in metrics.not_finite or name in metrics.values:
        return f"{name} is not a number: NaN or infinite was logged"
    return f"{name} was not reported, as when it is NaN"


def training_course(metrics: Metrics) -> list[float]:
    """The training losses in the order of their steps, empty when they were not logged."""
    curves = metrics.curves
    return [point.value for point in curves.get("loss") or curves.get(TRAIN_LOSS) or ()]


def last_training_loss(metrics: Metrics) -> float | None:
    """The mean of the last training losses; else the one of the whole training, if logged."""
    course = training_course(metrics)
    if course:
        last = course[-window(course) :]
        return sum(value / len(last) for value in last)
    whole = figure(metrics, TRAIN_LOSS)
    return figure(metrics, "loss") if whole is None else whole


def window(course: Sequence[float]) -> int:
    """How many values at an end of a course are looked at together: a tenth, and some at least."""
    return max(LEAST_WINDOW, len(course) // 10)

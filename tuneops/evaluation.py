"""Weighing a trained model's metrics against the config's thresholds."""

import math
from collections.abc import Mapping

from tuneops.config import Evaluation, Threshold

ALWAYS: Mapping[str, Threshold | None] = {"eval_loss": None}
"""What counts when the config has no threshold: the loss must be a number at least.

The component leaves out what became NaN (azureml-acft-contrib-hf-nlp 0.0.91, utils/callbacks.py).
"""


def verdict(metrics: Mapping[str, float], evaluation: Evaluation) -> list[str]:
    """What speaks against the model, empty when nothing does.

    A metric that is missing or not a number fails: it can't be weighed.
    """
    checks = (evaluation.thresholds or ALWAYS).items()
    return [said for name, bound in checks if (said := _against(name, metrics.get(name), bound))]


def missing(metrics: Mapping[str, float], evaluation: Evaluation) -> list[str]:
    """The metrics that count and were not reported (yet)."""
    return [name for name in evaluation.thresholds or ALWAYS if name not in metrics]


def _against(name: str, value: float | None, bound: Threshold | None) -> str | None:
    if value is None:
        return f"{name} was not reported, as when it is NaN"
    if not math.isfinite(value):
        return f"{name} is not a number"
    if bound is None:
        return None
    if bound.max is not None and value > bound.max:
        return f"{name} is {value:.4g}, above {bound.max:.4g}"
    if bound.min is not None and value < bound.min:
        return f"{name} is {value:.4g}, below {bound.min:.4g}"
    return None

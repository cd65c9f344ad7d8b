"""Weighing a trained model's metrics against the config's thresholds."""

import math
from collections.abc import Mapping

from tuneops.config import Evaluation, Threshold


def verdict(metrics: Mapping[str, float], evaluation: Evaluation) -> list[str]:
    """What speaks against the model, empty when nothing does.

    A metric that is missing or not a number fails its threshold: it can't be weighed.
    """
    checks = evaluation.thresholds.items()
    return [said for name, bound in checks if (said := _against(name, metrics.get(name), bound))]


def _against(name: str, value: float | None, bound: Threshold) -> str | None:
    if value is None:
        return f"{name} was not reported"
    if not math.isfinite(value):
        return f"{name} is not a number"
    if bound.max is not None and value > bound.max:
        return f"{name} is {value:.4g}, above {bound.max:.4g}"
    if bound.min is not None and value < bound.min:
        return f"{name} is {value:.4g}, below {bound.min:.4g}"
    return None

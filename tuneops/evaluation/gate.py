"""The gate before a model is registered: all checks of its metrics."""

from tuneops.evaluation.checks import Check, Outcome
from tuneops.evaluation.divergence import divergence, expected_losses
from tuneops.evaluation.figures import EVAL_LOSS, TRAIN_LOSS, last_training_loss
from tuneops.evaluation.overfitting import overfitting
from tuneops.evaluation.regression import SETTING, regression
from tuneops.evaluation.settings import Evaluation
from tuneops.evaluation.thresholds import thresholds
from tuneops.release import Metrics, Release


def verdict(
    release: Release, live: Release | None, *, registered: bool = False
) -> tuple[Check, ...]:
    """All checks of a release whose metrics were read, at least one; any that failed forbids it.

    `live` is the release that has the traffic; `registered` says whether the model is already.
    """
    metrics, evaluation = release.metrics or Metrics(), release.config.evaluation
    return (
        *regression(release, live, registered=registered),
        *thresholds(metrics, evaluation),
        *overfitting(metrics, evaluation.overfitting),
        *divergence(metrics, evaluation),
    )


def missing(metrics: Metrics, evaluation: Evaluation) -> list[str]:
    """The metrics that count and were not reported (yet)."""
    asked = {*evaluation.thresholds, *evaluation.max_regression_percent}
    asked |= expected_losses(metrics, evaluation)
    watched = evaluation.overfitting
    if watched.max_gap_percent is not None or watched.max_rise_percent is not None:
        asked.add(EVAL_LOSS)
    if watched.max_gap_percent is not None and last_training_loss(metrics) is None:
        asked.add(TRAIN_LOSS)
    return sorted(asked - metrics.values.keys() - set(metrics.not_finite))


def passed(checks: tuple[Check, ...]) -> str:
    """What speaks for a model whose checks all passed: how it compares above all."""
    count = sum(check.outcome == Outcome.PASSED for check in checks)
    compared = (check.text for check in checks if check.name == SETTING)
    made = "1 check" if count == 1 else f"{count} checks"
    return "; ".join((f"{made} of the metrics passed", *compared))

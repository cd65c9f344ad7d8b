"""The section `evaluation` of a config: what a model must show before it is registered."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from tuneops.evaluation.directions import greater_is_better
from tuneops.section import Section


def _no_flag(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("is true or false, where a number is wanted")
    return value


Percent = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False), BeforeValidator(_no_flag)]


class Threshold(Section):
    """Bounds that a metric must keep."""

    max: Annotated[float | None, Field(allow_inf_nan=False)] = None
    min: Annotated[float | None, Field(allow_inf_nan=False)] = None

    @model_validator(mode="after")
    def _some_bound(self) -> "Threshold":
        if self.max is None and self.min is None:
            raise ValueError("give max, min or both")
        return self


class Overfitting(Section):
    """When a model counts as having learned its training rows by heart; left out, never."""

    max_gap_percent: Annotated[
        Percent | None,
        Field(
            description="So much may eval_loss be above the last training losses (their mean; "
            "train_loss where the course of the loss is not logged)"
        ),
    ] = None
    max_rise_percent: Annotated[
        Percent | None,
        Field(
            description="So much may eval_loss end above the lowest that was logged during the "
            "training"
        ),
    ] = None


class Divergence(Section):
    """When a training counts as diverged; a loss that is NaN or infinite always does."""

    max_rise_percent: Annotated[
        Percent,
        Field(
            description="So much, and more than 0.1, may the training loss end above where it "
            "began: medians of the first and the last tenth. It takes 10 logged losses to tell"
        ),
    ] = 50.0


class Evaluation(Section):
    """What the trained model's metrics must show before it is registered.

    A check that can't be made, as its metric is missing, fails.
    """

    thresholds: Annotated[
        dict[str, Threshold],
        Field(
            max_length=50,
            description="Bounds by metric; a metric that is missing is a failure. Without any, "
            "eval_loss must be a number",
        ),
    ] = {}
    greater_is_better: Annotated[
        dict[str, Annotated[bool, Field(strict=True)]],
        Field(
            max_length=50,
            description="By metric of max_regression_percent: whether more of it is better. Known "
            "by their names are losses, perplexity, errors and times (worse) and accuracy, rouge, "
            "bleu, exact_match, f1, scores and the like (better)",
        ),
    ] = {}
    max_regression_percent: Annotated[
        dict[str, Percent],
        Field(
            max_length=50,
            description="By metric: so much worse than the live release's may it be. Without a "
            "live release there is nothing to regress from; a live release that did not report "
            "the metric can't be compared with, which fails. A model that is registered already "
            "has passed this before: going back to it in git is not held up",
            examples=[{"eval_loss": 5, "rougeL": 10}],
        ),
    ] = {}
    overfitting: Overfitting = Overfitting()
    divergence: Divergence = Divergence()

    @field_validator("max_regression_percent")
    @classmethod
    def _with_a_direction(cls, given: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        said = info.data.get("greater_is_better", {})
        unknown = [name for name in given if said.get(name, greater_is_better(name)) is None]
        if unknown:
            raise ValueError(
                f"{unknown[0]}: say in evaluation.greater_is_better whether more of it is better "
                f"({unknown[0]}: true) or worse (false)"
            )
        return given

    @model_validator(mode="after")
    def _no_direction_for_nothing(self) -> "Evaluation":
        idle = [name for name in self.greater_is_better if name not in self.max_regression_percent]
        if idle:
            raise ValueError(
                f"greater_is_better.{idle[0]}: there is no such metric in max_regression_percent"
            )
        return self

    def prefers_greater(self, metric: str) -> bool:
        """Whether more of a metric of `max_regression_percent` is better."""
        return self.greater_is_better.get(metric, bool(greater_is_better(metric)))

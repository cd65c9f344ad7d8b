"""How traffic moves to a new deployment, as the config says it."""

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from tuneops.analysis import Limits
from tuneops.rollout.approval_settings import Approval
from tuneops.section import Section

CANARY_STEPS = (5, 25, 50)
MAX_STEPS = 10

Strategy = Literal["blue-green", "canary", "shadow"]
OnInsufficientTraffic = Literal["continue", "hold", "abort", "behaviour"]
Share = Annotated[int, Field(ge=1, le=99, strict=True)]


class Rollout(Section):
    """How traffic moves to a new deployment once it has passed the smoke test."""

    strategy: Annotated[
        Strategy,
        Field(
            description="blue-green: all traffic at once; canary: step by step; shadow: requests "
            "are mirrored to it first. The first deployment of an endpoint gets all at once"
        ),
    ] = "blue-green"
    steps: Annotated[
        tuple[Share, ...],
        Field(
            max_length=MAX_STEPS,
            description="Percent of the traffic at each step before 100, rising. Left out, a "
            "canary has 5, 25, 50; a shadow has none",
        ),
    ] = ()
    pause_minutes: Annotated[
        float, Field(gt=0, le=1440, allow_inf_nan=False, description="How long a step lasts")
    ] = 10.0
    mirror_percent: Annotated[
        int,
        Field(ge=1, le=50, description="Of shadow: percent of the requests that are mirrored"),
    ] = 10
    analysis: Annotated[
        Limits, Field(description="What the live figures of a step must keep to")
    ] = Limits()
    wait_for_traffic_minutes: Annotated[
        float,
        Field(
            ge=0,
            le=10_080,
            allow_inf_nan=False,
            description="How much longer a step may last while its figures do not tell yet",
        ),
    ] = 60.0
    on_insufficient_traffic: Annotated[
        OnInsufficientTraffic,
        Field(
            description="After that: continue with the next step, hold this one until the figures "
            "tell, or abort; behaviour: continue where the evaluation sets have shown the new "
            "deployment to be no worse than the live one, hold otherwise"
        ),
    ] = "hold"
    approval: Annotated[
        Approval | None,
        Field(description="Before which shares a person has to approve; left out, nobody has to"),
    ] = None
    keep_previous: Annotated[
        int,
        Field(
            ge=0,
            le=3,
            description="So many superseded deployments are kept, the newest ones, for a rollback "
            "in seconds; they cost what they cost before",
        ),
    ] = 1
    keep_previous_for_minutes: Annotated[
        int, Field(ge=0, le=10_080, description="How long each of them is kept")
    ] = 60
    keep_failed_for_minutes: Annotated[
        int, Field(ge=0, le=10_080, description="How long the deployment of a failed release is")
    ] = 0

    @model_validator(mode="before")
    @classmethod
    def _earlier_name(cls, given: Any) -> Any:
        """`keep_previous_minutes` is what the time was called; 0 was its default, and is stored."""
        if not isinstance(given, dict) or "keep_previous_minutes" not in given:
            return given
        named = {name: value for name, value in given.items() if name != "keep_previous_minutes"}
        if minutes := given["keep_previous_minutes"]:
            named.setdefault("keep_previous_for_minutes", minutes)
        return named

    @property
    def shares(self) -> tuple[int, ...]:
        """The percentages of live traffic before 100."""
        return self.steps or (CANARY_STEPS if self.strategy == "canary" else ())

    @field_validator("steps")
    @classmethod
    def _rise(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        if any(after <= before for before, after in pairwise(steps)):
            raise ValueError(f"do not rise: {', '.join(map(str, steps))}")
        return steps

    @model_validator(mode="after")
    def _has_steps(self) -> "Rollout":
        if self.steps and self.strategy == "blue-green":
            raise ValueError("steps belong to strategy canary or shadow")
        return self

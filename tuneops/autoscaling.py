"""How many instances a deployment has by load, as the config says it. Pure."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tuneops.section import Section

Metric = Literal[
    "CpuUtilizationPercentage",
    "CpuMemoryUtilizationPercentage",
    "DiskUtilization",
    "GpuUtilizationPercentage",
    "GpuMemoryUtilizationPercentage",
    "RequestsPerMinute",
    "RequestLatency",
    "RequestLatency_P50",
    "RequestLatency_P90",
    "RequestLatency_P95",
    "RequestLatency_P99",
    "ConnectionsActive",
    "NewConnectionsPerSecond",
]
OF_ENDPOINTS = ("Request", "Connections", "NewConnections")
"""How metrics begin that Azure has of an endpoint; the others are of a deployment."""

Threshold = Annotated[float | None, Field(ge=0, allow_inf_nan=False)]


class ScaleRule(Section):
    """When instances are added, or taken away."""

    metric: Annotated[
        Metric, Field(description="Of the deployment; what is of requests, of the endpoint")
    ] = "GpuUtilizationPercentage"
    above: Annotated[Threshold, Field(description="Instances are added above this")] = None
    below: Annotated[Threshold, Field(description="Instances are taken away below this")] = None
    for_minutes: Annotated[
        int, Field(ge=5, le=720, description="The average of so many minutes counts")
    ] = 5
    change: Annotated[int, Field(ge=1, le=20, description="So many instances")] = 1
    cooldown_minutes: Annotated[
        int, Field(ge=1, le=10_080, description="Nothing is changed for so long afterwards")
    ] = 5

    @model_validator(mode="after")
    def _one_way(self) -> "ScaleRule":
        if (self.above is None) == (self.below is None):
            raise ValueError("a rule has above, to add instances, or below, to take some away")
        return self

    def __str__(self) -> str:
        sign, limit, step = (">", self.above, "+") if self.below is None else ("<", self.below, "-")
        return rule_text(
            self.metric,
            sign,
            limit or 0,
            self.for_minutes,
            f"{step}{self.change}",
            self.cooldown_minutes,
        )


class Autoscale(Section):
    """Azure Monitor keeps the number of instances between two bounds by rules."""

    min: Annotated[int, Field(ge=1, le=50)] = 1
    max: Annotated[int, Field(ge=1, le=50)]
    rules: Annotated[tuple[ScaleRule, ...], Field(min_length=1, max_length=10)] = (
        ScaleRule(above=70),
        ScaleRule(below=30, cooldown_minutes=15),
    )

    @model_validator(mode="after")
    def _bounds(self) -> "Autoscale":
        if self.min > self.max:
            raise ValueError("min is above max")
        return self

    def within(self, count: int) -> int:
        """The number of instances nearest to `count` that is allowed."""
        return max(self.min, min(count, self.max))

    def settings(self, count: int) -> dict[str, str]:
        """What Azure Monitor should have, by the names in the config; `count` without figures."""
        rules = "; ".join(str(rule) for rule in self.rules)
        return {
            "enabled": "true",
            "min": str(self.min),
            "max": str(self.max),
            "instance_count": str(self.within(count)),
            "rules": rules,
        }


def rule_text(
    metric: str, sign: str, limit: float, minutes: float, change: str, cooldown: float
) -> str:
    """A rule as people read it, whoever made it."""
    return (
        f"{metric} {sign} {limit:g} for {minutes:g} min: {change}, then {cooldown:g} min as it is"
    )

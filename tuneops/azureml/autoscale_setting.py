"""Autoscale settings as Azure Monitor has them: made of the config, and read as it says it.

The parts are those of learn.microsoft.com/rest/api/monitor/autoscale-settings.
"""

from datetime import timedelta
from typing import Any

from pydantic import BaseModel, Field

from tuneops.autoscaling import OF_ENDPOINTS, Autoscale, ScaleRule, rule_text

PROFILE = "tuneops"
_SIGNS = {"GreaterThan": ">", "LessThan": "<", "GreaterThanOrEqual": ">=", "LessThanOrEqual": "<="}
_STEPS = {"Increase": "+", "Decrease": "-"}


class _Capacity(BaseModel):
    minimum: str = ""
    maximum: str = ""
    default: str = ""


class _Trigger(BaseModel):
    metric: str = Field(alias="metricName")
    resource: str = Field("", alias="metricResourceUri")
    window: timedelta = Field(alias="timeWindow")
    operator: str
    threshold: float
    statistic: str = "Average"
    aggregation: str = Field("Average", alias="timeAggregation")


class _Action(BaseModel):
    direction: str
    type: str = "ChangeCount"
    value: str = "1"
    cooldown: timedelta


class _Rule(BaseModel):
    trigger: _Trigger = Field(alias="metricTrigger")
    action: _Action = Field(alias="scaleAction")

    def text(self, target: str) -> str:
        """The rule as people read it, with all that is not as we make it."""
        trigger, action = self.trigger, self.action
        step = _STEPS.get(action.direction, f"{action.direction} ") + action.value
        said = rule_text(
            trigger.metric,
            _SIGNS.get(trigger.operator, trigger.operator),
            trigger.threshold,
            trigger.window / timedelta(minutes=1),
            step,
            action.cooldown / timedelta(minutes=1),
        )
        other = {trigger.statistic, trigger.aggregation, action.type} - {"Average", "ChangeCount"}
        if trigger.resource.lower() != _measured(trigger.metric, target).lower():
            other.add("of another resource")
        return " ".join((said, *sorted(other)))


class _Profile(BaseModel):
    capacity: _Capacity = _Capacity()
    rules: list[_Rule] = []


class Properties(BaseModel):
    target: str = Field("", alias="targetResourceUri")
    enabled: bool = False
    profiles: list[_Profile] = []


def properties_of(name: str, target: str, scale: Autoscale, count: int) -> dict[str, Any]:
    """The properties of the setting of a deployment, by its ARM id; `count` without figures."""
    capacity = {"minimum": scale.min, "maximum": scale.max, "default": count}
    profile = {
        "name": PROFILE,
        "capacity": {key: str(value) for key, value in capacity.items()},
        "rules": [_rule(rule, target) for rule in scale.rules],
    }
    return {"name": name, "enabled": True, "targetResourceUri": target, "profiles": [profile]}


def settings_of(found: Properties) -> dict[str, str]:
    """What a setting says, by the names in the config."""
    capacity = found.profiles[0].capacity if found.profiles else _Capacity()
    target = found.target.lower()
    rules = [rule.text(target) for profile in found.profiles for rule in profile.rules]
    more = [f"and {len(found.profiles) - 1} more profiles"] if len(found.profiles) > 1 else []
    return {
        "enabled": str(found.enabled).lower(),
        "min": capacity.minimum,
        "max": capacity.maximum,
        "instance_count": capacity.default,
        "rules": "; ".join((*rules, *more)),
    }


def _measured(metric: str, deployment: str) -> str:
    """The resource that Azure has the metric of."""
    of_endpoint = metric.startswith(OF_ENDPOINTS)
    return deployment.rpartition("/deployments/")[0] if of_endpoint else deployment


def _rule(rule: ScaleRule, deployment: str) -> dict[str, Any]:
    grows = rule.below is None
    return {
        "metricTrigger": {
            "metricName": rule.metric,
            "metricResourceUri": _measured(rule.metric, deployment),
            "timeGrain": "PT1M",
            "statistic": "Average",
            "timeWindow": f"PT{rule.for_minutes}M",
            "timeAggregation": "Average",
            "operator": "GreaterThan" if grows else "LessThan",
            "threshold": rule.above if grows else rule.below,
        },
        "scaleAction": {
            "direction": "Increase" if grows else "Decrease",
            "type": "ChangeCount",
            "value": str(rule.change),
            "cooldown": f"PT{rule.cooldown_minutes}M",
        },
    }

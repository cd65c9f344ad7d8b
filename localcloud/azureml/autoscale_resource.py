"""An autoscale setting's resource: what a PUT may ask for, with Azure Monitor's limits.

https://learn.microsoft.com/rest/api/monitor/autoscale-settings/create-or-update
"""

import re
from datetime import timedelta

from localcloud.azureml.arm import ArmError, Json
from localcloud.azureml.bodies import choice, duration, flag, section, string_map, text

TYPE = "Microsoft.Insights/autoscaleSettings"
NAME = re.compile(r"[^#<>%&:?/{}\s]{1,260}")
MAX_PROFILES, MAX_RULES = 20, 10
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
OPERATORS = (
    "Equals",
    "NotEquals",
    "GreaterThan",
    "GreaterThanOrEqual",
    "LessThan",
    "LessThanOrEqual",
)
STATISTICS = ("Average", "Min", "Max", "Sum", "Count")
AGGREGATIONS = ("Average", "Minimum", "Maximum", "Total", "Count", "Last")
ACTIONS = ("ChangeCount", "PercentChangeCount", "ExactCount", "ServiceAllowedNextValue")


def autoscale_resource(group: str, name: str, body: Json) -> Json:
    """The resource that a PUT asks for.

    Raises:
        ArmError: 400 for what Azure Monitor does not take.
    """
    if not NAME.fullmatch(name):
        raise bad(f"The name '{name}' is not valid.")
    properties = section(body, "properties")
    profiles = properties.get("profiles")
    if not isinstance(profiles, list) or not 0 < len(profiles) <= MAX_PROFILES:
        raise bad(f"There must be 1 to {MAX_PROFILES} profiles.")
    return {
        "id": f"{group}/providers/microsoft.insights/autoscalesettings/{name}",
        "name": name,
        "type": TYPE,
        "location": text(body, "location"),
        "tags": string_map(body, "tags"),
        "properties": {
            "name": text(properties, "name", name),
            "enabled": flag(properties, "enabled"),
            "targetResourceUri": text(properties, "targetResourceUri"),
            "profiles": [_profile(each) for each in profiles],
            "notifications": properties.get("notifications") or [],
        },
    }


def bad(message: str) -> ArmError:
    """The caller's mistake."""
    return ArmError(400, "BadRequest", message)


def capacity_of(profile: Json) -> tuple[int, int, int]:
    """The least, the most and the default instances."""
    given = profile["capacity"]
    return int(given["minimum"]), int(given["maximum"]), int(given["default"])


def _profile(given: object) -> Json:
    if not isinstance(given, dict):
        raise bad("A profile must be an object.")
    capacity = section(given, "capacity")
    for name in ("minimum", "maximum", "default"):
        if not re.fullmatch(r"\d{1,4}", text(capacity, name)):
            raise bad(f"capacity.{name} must be a whole number in a string.")
    low, high, usual = capacity_of(given)
    if not low <= usual <= high:
        raise bad("capacity.default must lie between capacity.minimum and capacity.maximum.")
    rules = given.get("rules")
    if not isinstance(rules, list) or len(rules) > MAX_RULES:
        raise bad(f"A profile has a list of at most {MAX_RULES} rules.")
    return {
        "name": text(given, "name"),
        "capacity": {name: capacity[name] for name in ("minimum", "maximum", "default")},
        "rules": [_rule(rule) for rule in rules],
    }


def _rule(given: object) -> Json:
    if not isinstance(given, dict):
        raise bad("A rule must be an object.")
    return {
        "metricTrigger": _trigger(section(given, "metricTrigger")),
        "scaleAction": _action(section(given, "scaleAction")),
    }


def _trigger(given: Json) -> Json:
    threshold = given.get("threshold")
    if not isinstance(threshold, int | float) or isinstance(threshold, bool):
        raise bad("metricTrigger.threshold must be a number.")
    return {
        "metricName": text(given, "metricName"),
        "metricNamespace": str(given.get("metricNamespace") or ""),
        "metricResourceUri": text(given, "metricResourceUri"),
        "timeGrain": _duration(given, "timeGrain", MINUTE, DAY / 2),
        "statistic": choice(given, "statistic", STATISTICS),
        "timeWindow": _duration(given, "timeWindow", 5 * MINUTE, DAY / 2),
        "timeAggregation": choice(given, "timeAggregation", AGGREGATIONS),
        "operator": choice(given, "operator", OPERATORS),
        "threshold": threshold,
        "dimensions": given.get("dimensions") or [],
        "dividePerInstance": flag(given, "dividePerInstance"),
    }


def _action(given: Json) -> Json:
    if not re.fullmatch(r"\d{1,4}", text(given, "value", "1")):
        raise bad("scaleAction.value must be a whole number in a string.")
    return {
        "direction": choice(given, "direction", ("None", "Increase", "Decrease")),
        "type": choice(given, "type", ACTIONS),
        "value": text(given, "value", "1"),
        "cooldown": _duration(given, "cooldown", MINUTE, 7 * DAY),
    }


def _duration(given: Json, name: str, low: timedelta, high: timedelta) -> str:
    value = text(given, name)
    if not low <= duration(given, name, value) <= high:
        raise bad(f"'{name}' must be between {low} and {high}.")
    return value

"""Queries of Azure Monitor's metrics: what a request's parameters ask for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from localcloud.azureml.arm import PROVIDER, ArmError, Json
from localcloud.azureml.metric_names import METRICS, MetricName
from localcloud.azureml.scored import KEPT_MINUTES, MINUTE

RESOURCE_TYPE = "workspaces/onlineEndpoints"
NAMESPACE = f"{PROVIDER}/{RESOURCE_TYPE}"
API_VERSIONS = (
    "2018-01-01",
    "2019-07-01",
    "2021-05-01",
    "2023-10-01",
    "2024-02-01",
)
INTERVAL, GRAIN = "PT1M", "00:01:00"
AGGREGATIONS = ("average", "minimum", "maximum", "total", "count")
OFFERED = "average"
DEFAULT_TOP, MOST_NAMES = 10, 20
DEFAULT_SPAN = timedelta(hours=1)

_TERM = re.compile(r"\s*([\w./ -]+?)\s+(eq|ne|sw)\s+'((?:[^']|'')*)'\s*", re.IGNORECASE)
_AND, _OR = (re.compile(rf"\s+{word}\s+(?=(?:[^']*'[^']*')*[^']*$)") for word in ("and", "or"))
_DURATION = TypeAdapter(timedelta)


class MonitorError(ArmError):
    """An error in the shape of Azure Monitor, which has no `error` around it."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "BadRequest", message)

    def body(self) -> Json:
        """The error as the JSON body of an answer."""
        return {"code": self.code, "message": self.message}


@dataclass(frozen=True)
class Condition:
    """What a dimension's value must be: one of some terms, each an operator with a value."""

    dimension: str
    terms: tuple[tuple[str, str], ...]

    def holds(self, value: str) -> bool:
        """Whether one of the terms does."""
        return any(_holds(operator, wanted, value) for operator, wanted in self.terms)


@dataclass(frozen=True)
class Query:
    """The metrics that are asked for, of which minutes and series."""

    metrics: tuple[MetricName, ...]
    since: int
    until: int
    conditions: tuple[Condition, ...]
    top: int

    @classmethod
    def of(cls, request: Request) -> Self:
        """What the request asks for.

        Raises:
            ArmError: 400 for what Azure Monitor does not take.
        """
        given = request.query_params
        _check_version(given["api-version"])
        _check_choices(given)
        metrics = tuple(_metric(name) for name in given.get("metricnames", "").split(","))
        if len(metrics) > MOST_NAMES:
            raise MonitorError(f"At most {MOST_NAMES} metrics can be asked for at once.")
        conditions = tuple(_conditions(given.get("$filter", "")))
        for metric in metrics:
            _check_dimensions(metric, conditions)
        since, until = _span(given.get("timespan"))
        return cls(metrics, since, until, conditions, _top(given.get("top")))


def _holds(operator: str, wanted: str, value: str) -> bool:
    if operator == "eq":
        return wanted in ("*", value)
    if operator == "sw":
        return value.startswith(wanted)
    return value != wanted


def _check_version(version: str) -> None:
    if version not in API_VERSIONS:
        raise ArmError(
            400,
            "InvalidResourceType",
            "The resource type 'metrics' could not be found in the namespace 'microsoft.insights' "
            f"for api version '{version}'. The supported api-versions are "
            f"'{','.join(API_VERSIONS)}'.",
        )


def _check_choices(given: Mapping[str, str]) -> None:
    namespace = given.get("metricnamespace", NAMESPACE)
    if namespace.lower() != NAMESPACE.lower():
        raise MonitorError(
            f"Detect invalid value: {namespace} for query parameter: 'metricnamespace', the value "
            f"must be: {NAMESPACE} if the query parameter is provided, you can also skip this "
            "optional query parameter."
        )
    interval = given.get("interval", INTERVAL)
    if interval.upper() != INTERVAL:
        raise MonitorError(
            f"Commonly allowed time grains: {GRAIN} between metrics: {given.get('metricnames')}, "
            f"can not support requested time grain: {interval} please adjust your interval "
            "parameter to use one of the common grains"
        )
    for name in given.get("aggregation", OFFERED).split(","):
        if name.strip().lower() not in AGGREGATIONS:
            raise MonitorError(f"'{name}' is none of the aggregations {', '.join(AGGREGATIONS)}.")
        if name.strip().lower() != OFFERED:
            raise MonitorError(f"The local cloud offers the aggregation {OFFERED}, not '{name}'.")
    if given.get("resultType", "data").lower() != "data":
        raise MonitorError("The local cloud offers data of metrics, not their metadata.")


def _metric(name: str) -> MetricName:
    found = next((each for each in METRICS if each.name.lower() == name.strip().lower()), None)
    if found is None:
        raise MonitorError(
            f"Failed to find metric configuration for provider: {PROVIDER}, resource Type: "
            f"{RESOURCE_TYPE}, metric: {name.strip()}, Valid metrics: "
            f"{','.join(each.name for each in METRICS)}"
        )
    return found


def _conditions(text: str) -> list[Condition]:
    """The conditions of a `$filter`: `a eq 'x' or a eq 'y' and b eq '*'`, `or` binding closer."""
    return [_condition(part, text) for part in _AND.split(text)] if text.strip() else []


def _condition(part: str, text: str) -> Condition:
    terms = [_TERM.fullmatch(term) for term in _OR.split(part)]
    found = [
        (term[1].lower(), term[2].lower(), term[3].replace("''", "'")) for term in terms if term
    ]
    names = {name for name, _, _ in found}
    if len(found) < len(terms) or len(names) != 1:
        raise MonitorError(f"The filter '{text}' is not valid.")
    return Condition(names.pop(), tuple((operator, value) for _, operator, value in found))


def _check_dimensions(metric: MetricName, conditions: tuple[Condition, ...]) -> None:
    wanted = [condition.dimension for condition in conditions]
    if not {name.lower() for name in metric.dimensions}.issuperset(wanted):
        raise MonitorError(
            f"Metric: {metric.name} does not support requested dimension combination: "
            f"{','.join(wanted)}, supported ones are: {','.join(metric.dimensions)}"
        )


def _top(given: str | None) -> int:
    if given is None:
        return DEFAULT_TOP
    if not re.fullmatch(r"[1-9]\d{0,6}", given):
        raise MonitorError(f"'{given}' is not a valid value of 'top'.")
    return int(given)


def _span(given: str | None) -> tuple[int, int]:
    """The first minute that is asked for and the one after the last, in seconds."""
    first, _, last = (given or "").partition("/")
    try:
        if not given:
            until = datetime.now(UTC)
            since = until - DEFAULT_SPAN
        elif not last:
            until = datetime.now(UTC)
            since = until - _DURATION.validate_strings(first)
        else:
            since = _moment(first)
            is_length = last.startswith("P")
            until = since + _DURATION.validate_strings(last) if is_length else _moment(last)
        begin, end = since.timestamp(), until.timestamp()
    except (ValueError, OverflowError, ValidationError) as error:
        raise MonitorError(f"'{given}' is not a valid value of 'timespan'.") from error
    if not 0 < end - begin <= KEPT_MINUTES * MINUTE:
        raise MonitorError(f"'{given}' must be a span of at most a day that ends after it begins.")
    return int(begin) // MINUTE * MINUTE, -(-int(end) // MINUTE) * MINUTE


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

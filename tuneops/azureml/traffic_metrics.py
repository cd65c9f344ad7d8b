"""The live figures of an endpoint's deployments, from Azure Monitor."""

import math
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta

import httpx2
from pydantic import BaseModel, Field, ValidationError

from tuneops.analysis import DeploymentFigures
from tuneops.azureml.errors import UnavailableError, azure_errors, of_status
from tuneops.azureml.workspace import Workspace

API_VERSION = "2024-02-01"
NAMESPACE = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
MINUTE = timedelta(minutes=1)
MAX_MINUTES = 24 * 60
MAX_DEPLOYMENTS = 20
"""What Azure allows of an endpoint."""
MAX_SERIES = 1000
"""Azure gives ten unless asked for more, and drops the rest without a word."""
MAX_BYTES = 16 * 1024 * 1024
TIMEOUT_SECONDS = 20.0

REQUESTS = "RequestsPerMinute"
TIMES = {50: "RequestLatency_P50", 90: "RequestLatency_P90", 99: "RequestLatency_P99"}


class _Name(BaseModel):
    value: str


class _Label(BaseModel):
    name: _Name
    value: str


class _Point(BaseModel):
    start: datetime = Field(alias="timeStamp")
    average: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class _Series(BaseModel):
    labels: list[_Label] = Field(default=[], alias="metadatavalues")
    data: list[_Point] = []

    def label(self, dimension: str) -> str:
        """The value of a dimension, whose name Azure gives in lower case."""
        named = (each.value for each in self.labels if each.name.value.lower() == dimension)
        return next(named, "").lower()


class _Metric(BaseModel):
    name: _Name
    series: list[_Series] = Field(default=[], alias="timeseries")


class _Answer(BaseModel):
    value: list[_Metric]

    def series(self, metric: str) -> list[_Series]:
        """The series of one metric."""
        named = [each for each in self.value if each.name.value.lower() == metric.lower()]
        return [series for each in named for series in each.series]


def read(
    workspace: Workspace,
    endpoint: str,
    deployments: Sequence[str],
    since: datetime,
    until: datetime,
) -> dict[str, DeploymentFigures]:
    """The figures of each deployment within a window, widened to whole minutes.

    The window is at most a day, which ends at `until`. Azure needs some minutes until it shows
    one; a minute that is not shown yet counts as one without requests. Copies of requests that
    were mirrored to a deployment are its requests too.

    Azure gives percentiles of a minute alone, and the true ones of a window can't be had from
    them. Here they are averaged with the minutes' numbers of requests as weights, so that a quiet
    minute with one slow request does not stand for all of them.

    Raises:
        MissingRoleError: the identity may not read metrics.
        RefusedError: Azure does not know the endpoint, or does not take the query.
        UnavailableError: the metrics can't be had now.
        ValueError: there are no deployments, too many, or the window ends before it begins.
    """
    if not 0 < len(deployments) <= MAX_DEPLOYMENTS or until <= since:
        raise ValueError("needs 1 to 20 deployments, and a window that ends after it begins")
    begin, end = _window(since, until)
    named = " or ".join(f"deployment eq '{name}'" for name in deployments)
    counts = _ask(workspace, endpoint, [REQUESTS], f"{named} and statusCode eq '*'", begin, end)
    times = _ask(workspace, endpoint, list(TIMES.values()), named, begin, end)
    minutes = (end - begin) // MINUTE
    return {name: _figures(name, minutes, counts, times) for name in deployments}


def requests_of(
    workspace: Workspace, endpoint: str, deployment: str, since: datetime, until: datetime
) -> int:
    """How many requests a deployment got within a window, or the whole endpoint if none is named.

    A part of a request counts as one: what matters is whether there were any. The window is as for
    `read`.

    Raises:
        MissingRoleError: the identity may not read metrics.
        RefusedError: Azure does not know the endpoint, or does not take the query.
        UnavailableError: the metrics can't be had now.
    """
    begin, end = _window(since, until)
    wanted = f"deployment eq '{deployment or '*'}'"
    return _total(_ask(workspace, endpoint, [REQUESTS], wanted, begin, end))


def _total(answer: _Answer) -> int:
    points = (point for each in answer.series(REQUESTS) for point in each.data)
    return math.ceil(sum(point.average or 0 for point in points))


def _window(since: datetime, until: datetime) -> tuple[datetime, datetime]:
    begin = since.astimezone(UTC).replace(second=0, microsecond=0)
    end = until.astimezone(UTC).replace(second=0, microsecond=0)
    if end < until:
        end += MINUTE
    return max(begin, end - MAX_MINUTES * MINUTE), end


def _figures(deployment: str, minutes: int, counts: _Answer, times: _Answer) -> DeploymentFigures:
    statuses: dict[int, int] = defaultdict(int)
    weights: dict[datetime, float] = defaultdict(float)
    for series in _of(counts.series(REQUESTS), deployment):
        found = {point.start: point.average or 0 for point in series.data}
        status, number = series.label("statuscode"), round(sum(found.values()))
        if number and status.isdecimal():
            statuses[int(status)] += number
        for minute, asked in found.items():
            weights[minute] += asked
    average = {
        percent: _average(_of(times.series(metric), deployment), weights)
        for percent, metric in TIMES.items()
    }
    return DeploymentFigures(
        deployment=deployment,
        minutes=minutes,
        statuses=dict(sorted(statuses.items())),
        p50_ms=average[50],
        p90_ms=average[90],
        p99_ms=average[99],
    )


def _of(series: list[_Series], deployment: str) -> list[_Series]:
    return [each for each in series if each.label("deployment") == deployment.lower()]


def _average(series: list[_Series], weights: Mapping[datetime, float]) -> float | None:
    """The weighted average of the minutes that have a value and requests; None without any."""
    total = weight = 0.0
    for point in (point for each in series for point in each.data):
        asked = weights.get(point.start, 0)
        if point.average is not None:
            total += point.average * asked
            weight += asked
    return total / weight if weight else None


def _ask(
    workspace: Workspace,
    endpoint: str,
    metrics: list[str],
    wanted: str,
    begin: datetime,
    end: datetime,
) -> _Answer:
    """Azure Monitor's answer; averages are the only values that it documents for these metrics."""
    what = f"metrics of endpoint {endpoint}"
    address = (
        f"{workspace.resource_manager}{workspace.id}/onlineEndpoints/{endpoint}"
        "/providers/Microsoft.Insights/metrics"
    )
    query = {
        "api-version": API_VERSION,
        "metricnamespace": NAMESPACE,
        "metricnames": ",".join(metrics),
        "aggregation": "Average",
        "interval": "PT1M",
        "timespan": f"{begin:%Y-%m-%dT%H:%M:%SZ}/{end:%Y-%m-%dT%H:%M:%SZ}",
        "$filter": wanted,
        "top": str(MAX_SERIES),
    }
    with azure_errors(what):
        headers = workspace.authorization()
    request = workspace.http.build_request(
        "GET", address, params=query, headers=headers, timeout=TIMEOUT_SECONDS
    )
    try:
        with closing(workspace.http.send(request, stream=True)) as answer:
            body = _read(answer, what)
    except httpx2.HTTPError as error:
        raise UnavailableError(f"{what}: {type(error).__name__}") from error
    if not answer.is_success:
        raise _refusal(what, answer, body)
    try:
        return _Answer.model_validate_json(body)
    except ValidationError as error:
        raise UnavailableError(f"{what}: Azure's answer can't be read") from error


def _read(answer: httpx2.Response, what: str) -> bytes:
    """The answer's bytes; one that is too long, or comes in drops, is given up."""
    body, deadline = bytearray(), time.monotonic() + TIMEOUT_SECONDS
    for piece in answer.iter_bytes(65536):
        body += piece
        if len(body) > MAX_BYTES or time.monotonic() > deadline:
            raise UnavailableError(f"{what}: the answer is too long or too slow")
    return bytes(body)


class _Error(BaseModel):
    """Azure Monitor's own errors are bare; those of Azure Resource Manager lie under `error`."""

    message: str = ""
    error: "_Error | None" = None


def _refusal(what: str, answer: httpx2.Response, body: bytes) -> Exception:
    try:
        given = _Error.model_validate_json(body)
        said = given.message or (given.error.message if given.error else "")
    except ValidationError:
        said = ""
    said = said or f"status {answer.status_code}"
    return of_status(what, answer.status_code, said, answer.headers)

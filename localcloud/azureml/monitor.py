"""Azure Monitor's metrics of online endpoints, as its REST API gives them.

Only requests that were passed on to a deployment are counted. A mirrored copy is a request of the
deployment that it was mirrored to.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import Json, not_found
from localcloud.azureml.endpoints import ENDPOINTS
from localcloud.azureml.metric_names import MetricName
from localcloud.azureml.metric_query import INTERVAL, NAMESPACE, Query
from localcloud.azureml.scored import MINUTE, Minute, Scored
from localcloud.azureml.site import Site
from localcloud.azureml.store import Store

INSIGHTS = "Microsoft.Insights"

Labels = tuple[str, ...]
Values = dict[int, float]


class Monitor:
    """Answers queries; a minute is to be seen `delay` seconds after its start."""

    def __init__(self, site: Site, store: Store, scored: Scored, delay: float) -> None:
        self._site = site
        self._store = store
        self._scored = scored
        self._delay = delay

    def routes(self) -> list[Route]:
        """Routes below the workspace."""
        path = f"/onlineEndpoints/{{endpoint}}/providers/{INSIGHTS}/metrics"
        return [Route(path, self.list_metrics)]

    async def list_metrics(self, request: Request) -> Response:
        """The metrics that are asked for, minute by minute."""
        name = request.path_params["endpoint"]
        if self._store.get(ENDPOINTS, name) is None:
            raise not_found("Endpoint", name)
        query = Query.of(request)
        seen = min(query.until, int(time.time() - self._delay) + 1)
        minutes = self._scored.minutes(name, query.since, seen)
        body = {
            "cost": (query.until - query.since) // MINUTE * len(query.metrics),
            "timespan": f"{_time(query.since)}/{_time(query.until)}",
            "interval": INTERVAL,
            "value": [self._metric(name, metric, query, minutes) for metric in query.metrics],
            "namespace": NAMESPACE,
            "resourceregion": self._site.connection.location,
        }
        return JSONResponse(body)

    def _metric(
        self, endpoint: str, metric: MetricName, query: Query, minutes: list[Minute]
    ) -> Json:
        resource = f"{self._site.workspace_path}/onlineEndpoints/{endpoint}"
        series = _counts(query, minutes) if metric.is_count else _times(metric, query, minutes)
        names = [condition.dimension for condition in query.conditions]
        shown = sorted(series.items())[: query.top] if names else series.items()
        return {
            "id": f"{resource}/providers/{INSIGHTS}/metrics/{metric.name}",
            "type": f"{INSIGHTS}/metrics",
            "name": {"value": metric.name, "localizedValue": metric.label},
            "displayDescription": metric.description,
            "unit": metric.unit,
            "timeseries": [
                {
                    "metadatavalues": [
                        {"name": {"value": key, "localizedValue": key}, "value": value}
                        for key, value in zip(names, labels, strict=True)
                    ],
                    "data": _points(query, values, metric.is_count),
                }
                for labels, values in shown
            ],
            "errorCode": "Success",
        }


def _counts(query: Query, minutes: list[Minute]) -> dict[Labels, Values]:
    """The numbers of requests, added up over the dimensions that are not asked for."""
    series: dict[Labels, Values] = {}
    for minute in minutes:
        for (status, model_status), count in minute.counts.items():
            dimensions = {
                "deployment": minute.deployment,
                "statuscode": str(status),
                "statuscodeclass": f"{status // 100}xx",
                "modelstatuscode": model_status,
            }
            labels = _labels(query, dimensions.__getitem__)
            if labels is not None:
                values = series.setdefault(labels, {})
                values[minute.start] = values.get(minute.start, 0) + count
    return series


def _times(metric: MetricName, query: Query, minutes: list[Minute]) -> dict[Labels, Values]:
    """The times of the deployments; their average where they are not asked for one by one."""
    found: dict[Labels, dict[int, list[float]]] = {}
    for minute in minutes if metric.measure else ():
        labels = _labels(query, {"deployment": minute.deployment}.__getitem__)
        if labels is not None and metric.measure:
            of_minute = found.setdefault(labels, {}).setdefault(minute.start, [])
            of_minute.append(metric.measure(minute))
    return {
        labels: {start: sum(each) / len(each) for start, each in values.items()}
        for labels, values in found.items()
    }


def _labels(query: Query, value: Callable[[str], str]) -> Labels | None:
    """The values of the dimensions that are asked for; None when one is not as it must be."""
    labels = tuple(value(condition.dimension) for condition in query.conditions)
    held = zip(query.conditions, labels, strict=True)
    return labels if all(condition.holds(label) for condition, label in held) else None


def _points(query: Query, values: Values, is_count: bool) -> list[Json]:
    """One for every minute; without requests a number is 0, and there is no time."""
    points: list[Json] = []
    for start in range(query.since, query.until, MINUTE):
        point: Json = {"timeStamp": _time(start)}
        if is_count or start in values:
            point["average"] = float(values.get(start, 0))
        points.append(point)
    return points


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

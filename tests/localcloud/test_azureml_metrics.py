"""Azure Monitor's metrics of an endpoint: what a query may say, and what minutes are counted as."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import pytest
from azure.ai.ml.entities import ManagedOnlineEndpoint
from azureml_server import ml_client, rest_client, workspace_path
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from localcloud.azureml.endpoints import ENDPOINTS
from localcloud.azureml.metric_query import MonitorError, _conditions
from localcloud.azureml.monitor import Monitor
from localcloud.azureml.scored import KEPT_MINUTES, MINUTE, SAMPLE, Minute, Scored
from localcloud.azureml.site import Site
from localcloud.azureml.store import Store
from localcloud.connection import Connection

QUERY = {"api-version": "2024-02-01", "metricnames": "RequestsPerMinute"}


@pytest.fixture(scope="module")
def metrics(azureml: Connection) -> str:
    """The path of the metrics of an endpoint that nobody has asked anything."""
    endpoint = ManagedOnlineEndpoint(name="measured", auth_mode="key")
    ml_client(azureml).online_endpoints.begin_create_or_update(endpoint).result()
    return (
        f"{workspace_path(azureml)}/onlineEndpoints/measured/providers/microsoft.insights/metrics"
    )


@pytest.fixture
def rest(azureml: Connection) -> Iterator[httpx2.Client]:
    """Plain HTTP with a valid token and no api-version of its own."""
    with rest_client(azureml) as client:
        client.params = {}
        yield client


def test_an_endpoint_without_requests_has_no_series(rest: httpx2.Client, metrics: str) -> None:
    answer = rest.get(metrics, params=QUERY)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["interval"] == "PT1M"
    assert body["namespace"] == "Microsoft.MachineLearningServices/workspaces/onlineEndpoints"
    assert body["resourceregion"] == "eastus"
    (metric,) = body["value"]
    assert metric["id"].endswith("/measured/providers/Microsoft.Insights/metrics/RequestsPerMinute")
    assert (metric["unit"], metric["errorCode"], metric["timeseries"]) == ("Count", "Success", [])


def test_path_and_names_count_in_any_case(rest: httpx2.Client, metrics: str) -> None:
    path = metrics.replace("microsoft.insights", "MICROSOFT.INSIGHTS").replace("Groups", "groups")
    names = "requestlatency_p50,RequestLatency_P90"
    body = rest.get(path, params=QUERY | {"metricnames": names}).json()
    assert [each["name"]["value"] for each in body["value"]] == [
        "RequestLatency_P50",
        "RequestLatency_P90",
    ]
    assert {each["unit"] for each in body["value"]} == {"MilliSeconds"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"metricnames": "Requests"},
            "Failed to find metric configuration for provider: Microsoft.MachineLearningServices, "
            "resource Type: workspaces/onlineEndpoints, metric: Requests, Valid metrics: Requests",
        ),
        ({"metricnames": ""}, "Failed to find metric configuration"),
        (
            {"metricnames": "RequestLatency_P90", "$filter": "statusCode eq '*'"},
            "Metric: RequestLatency_P90 does not support requested dimension combination: "
            "statuscode, supported ones are: deployment",
        ),
        ({"interval": "PT5M"}, "can not support requested time grain: PT5M"),
        ({"aggregation": "Median"}, "none of the aggregations"),
        ({"aggregation": "Average,Total"}, "offers the aggregation average"),
        ({"metricnamespace": "Microsoft.Web/sites"}, "query parameter: 'metricnamespace'"),
        ({"$filter": "deployment = 'blue'"}, "is not valid"),
        ({"$filter": "deployment eq 'a' or statusCode eq '200'"}, "is not valid"),
        ({"top": "0"}, "not a valid value of 'top'"),
        ({"timespan": "yesterday/today"}, "not a valid value of 'timespan'"),
        ({"timespan": "2026-01-02T00:00:00Z/2026-01-01T00:00:00Z"}, "ends after it begins"),
        ({"timespan": "P9D"}, "at most a day"),
        ({"resultType": "Metadata"}, "not their metadata"),
    ],
)
def test_queries_that_are_refused(
    rest: httpx2.Client, metrics: str, changes: dict[str, str], problem: str
) -> None:
    answer = rest.get(metrics, params=QUERY | changes)
    assert answer.status_code == 400
    assert answer.json().keys() == {"code", "message"}
    assert answer.json()["code"] == "BadRequest"
    assert problem in answer.json()["message"]


def test_errors_of_resource_manager_have_its_shape(
    azureml: Connection, rest: httpx2.Client, metrics: str
) -> None:
    def error(path: str, **changes: str) -> tuple[int, str]:
        answer = rest.get(path, params=QUERY | changes)
        return answer.status_code, answer.json()["error"]["code"]

    assert error(metrics, **{"api-version": "2024-01-01"}) == (400, "InvalidResourceType")
    assert error(metrics.replace("measured", "missing")) == (404, "ResourceNotFound")
    rest.headers["authorization"] = "Bearer forged"
    assert error(metrics) == (401, "InvalidAuthenticationToken")


@pytest.mark.parametrize(
    ("text", "holds", "fails"),
    [
        ("deployment eq 'blue'", {"deployment": "blue"}, {"deployment": "green"}),
        ("deployment eq '*'", {"deployment": "green"}, None),
        ("statusCodeClass ne '2xx'", {"statuscodeclass": "5xx"}, {"statuscodeclass": "2xx"}),
        ("deployment eq 'it''s'", {"deployment": "it's"}, {"deployment": "its"}),
        ("statusCode sw '4'", {"statuscode": "424"}, {"statuscode": "503"}),
        (
            "deployment eq 'a and b' or deployment eq 'c' and statusCode eq '*'",
            {"deployment": "a and b", "statuscode": "1"},
            {"deployment": "d", "statuscode": "1"},
        ),
    ],
)
def test_filters(text: str, holds: dict[str, str], fails: dict[str, str] | None) -> None:
    conditions = _conditions(text)
    assert [each.dimension for each in conditions] == list(holds)
    assert all(each.holds(holds[each.dimension]) for each in conditions)
    assert fails is None or not all(each.holds(fails[each.dimension]) for each in conditions)


@given(st.text(st.sampled_from("ab eqorand'*() "), max_size=60))
def test_any_filter_is_understood_or_refused(text: str) -> None:
    with suppress(MonitorError):
        assert all(each.terms for each in _conditions(text))


class TestMinutes:
    def test_times_are_percentiles_of_all_requests(self) -> None:
        minute = Minute("blue", 0)
        for spent in range(1, 101):
            minute.add(200, "200", spent)
        assert [minute.percentile_ms(percent) for percent in (50, 90, 99)] == [50, 90, 99]
        assert minute.average_ms == 50.5
        single = Minute("blue", 0)
        single.add(503, "", 7)
        assert {single.percentile_ms(percent) for percent in (50, 90, 99)} == {7}

    def test_a_busy_minute_stays_small(self) -> None:
        minute = Minute("blue", 0)
        for _ in range(20 * SAMPLE):
            minute.add(200, "200", 10)
        minute.add(424, "500", 1000)
        assert len(minute.times_ms) == SAMPLE
        assert minute.counts == {(200, "200"): 20 * SAMPLE, (424, "500"): 1}
        assert minute.percentile_ms(90) == 10

    def test_they_are_kept_over_a_restart_and_for_a_day(self, tmp_path: Path) -> None:
        now = int(datetime.now(UTC).timestamp())
        store = Store(tmp_path / "workspace.sqlite")
        scored = Scored(store)
        scored.add("chat", "blue", 0.25, 200, "200")
        scored.save()
        scored.add("chat", "blue", 0.75, 424, "500")
        scored.add("other", "blue", 1, 200, "200")
        scored.save()
        store.close()

        again = Scored(Store(tmp_path / "workspace.sqlite"))
        found = again.minutes("chat", now - 2 * MINUTE, now + MINUTE)
        assert sum(minute.requests for minute in found) == 2
        assert sum(minute.total_ms for minute in found) == 1000
        again.drop_before(now - KEPT_MINUTES * MINUTE)
        assert again.minutes("chat", 0, now + MINUTE) == found
        again.drop_before(now + timedelta(minutes=1).seconds)
        assert again.minutes("chat", 0, now + MINUTE) == []

    def test_they_are_seen_after_the_delay(self, azureml: Connection, tmp_path: Path) -> None:
        store = Store(tmp_path / "workspace.sqlite")
        store.put(ENDPOINTS, "chat", {})
        scored = Scored(store)
        scored.add("chat", "blue", 0.25, 200, "200")

        def series(delay: float) -> list[object]:
            query = urlencode(QUERY | {"timespan": "PT5M"}).encode()
            scope = {"type": "http", "query_string": query, "path_params": {"endpoint": "chat"}}
            monitor = Monitor(Site(azureml), store, scored, delay)
            answer = asyncio.run(monitor.list_metrics(Request(scope)))
            return list(json.loads(answer.body)["value"][0]["timeseries"])

        assert series(delay=180) == []
        (seen,) = series(delay=0)
        assert isinstance(seen, dict)
        assert sum(point["average"] for point in seen["data"]) == 1

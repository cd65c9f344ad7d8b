"""Event Grid: publishing, filters, delivery, retries, dead letters."""

import json
import os
import signal
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_cloud import (
    DATASETS,
    FunctionApp,
    blobs,
    function_app,
    run_cli,
    small_cloud,
    start_cli,
    subscription_counts,
    until,
    write_manifest,
)

from localcloud.connection import Connection
from localcloud.eventgrid.dead_letters import CONTAINER, blob_name, letter
from localcloud.eventgrid.events import EventError, parse_events
from localcloud.eventgrid.filters import wants
from localcloud.eventgrid.queue import Delivery, DeliveryQueue
from localcloud.eventgrid.retry import AZURE_PAUSES_SECONDS, RetryPolicy
from localcloud.manifest import EventSubscription
from localcloud.records import Processes


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    with small_cloud(tmp_path_factory.mktemp("eventgrid")) as running:
        yield running


@pytest.fixture(scope="module")
def running_app(connection: Connection) -> Iterator[FunctionApp]:
    with function_app(connection) as running:
        yield running


@pytest.fixture
def app(running_app: FunctionApp) -> FunctionApp:
    running_app.received.clear()
    running_app.answers.clear()
    return running_app


def job_event(**changes: Any) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "subject": "experiments/e/runs/run",
        "eventType": "Test.Completed",
        "eventTime": "2026-01-01T00:00:00Z",
        "dataVersion": "1.0",
        "data": {"runId": "r"},
        **changes,
    }


def cloud_event(**changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "/tests",
        "type": "Test.Completed",
        "subject": "experiments/e/runs/run",
        "data": {"runId": "r"},
        **changes,
    }


def publish(connection: Connection, body: Any, key: str | None = None) -> httpx2.Response:
    topic = connection.eventgrid.topics["workspace"]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"aeg-sas-key": topic.key if key is None else key}
    return httpx2.post(topic.endpoint, content=content, headers=headers, timeout=30)


def test_an_event_arrives_once_with_event_grids_headers(
    connection: Connection, app: FunctionApp
) -> None:
    sent = job_event()
    assert publish(connection, [sent]).status_code == 200
    until(lambda: app.received)
    [received] = app.received
    assert received.function == "on_job"
    assert received.headers["aeg-event-type"] == "Notification"
    assert received.headers["aeg-subscription-name"] == "JOBS"
    assert received.headers["aeg-delivery-count"] == "0"
    topic = received.event.pop("topic")
    assert topic.endswith("/providers/Microsoft.EventGrid/topics/workspace")
    assert received.event == {**sent, "metadataVersion": "1"}


def test_the_function_is_asked_before_the_first_event(
    connection: Connection, app: FunctionApp
) -> None:
    until(lambda: len(app.handshakes) == 2)
    assert {handshake.function for handshake in app.handshakes} == {"on_upload", "on_job"}
    kind = "Microsoft.EventGrid.SubscriptionValidationEvent"
    assert {handshake.event["eventType"] for handshake in app.handshakes} == {kind}
    until(lambda: subscription_counts(connection, "jobs")["validated"])


def test_a_cloud_event_arrives_as_a_cloud_event(connection: Connection, app: FunctionApp) -> None:
    sent = cloud_event()
    assert publish(connection, [sent]).status_code == 200
    until(lambda: app.received)
    assert app.received[0].body == sent
    assert app.received[0].headers["content-type"].startswith("application/cloudevents+json")


def test_only_wanted_events_are_delivered(connection: Connection, app: FunctionApp) -> None:
    events = [
        job_event(id="other type", eventType="Test.Failed"),
        job_event(id="other subject", subject="runs/run/child"),
        job_event(id="wanted", eventType="TEST.completed", subject="RUN/Run"),
    ]
    assert publish(connection, events).status_code == 200
    until(lambda: app.received)
    assert [event["id"] for event in app.events()] == ["wanted"]


def test_the_sdk_can_publish(connection: Connection, app: FunctionApp) -> None:
    sdk = pytest.importorskip("azure.eventgrid")
    from azure.core.credentials import AzureKeyCredential

    topic = connection.eventgrid.topics["workspace"]
    client = sdk.EventGridPublisherClient(topic.endpoint, AzureKeyCredential(topic.key))
    client.send(sdk.EventGridEvent("a/run", "Test.Completed", {"n": 1}, "1.0"))
    until(lambda: app.received)
    assert app.events()[0]["data"] == {"n": 1}


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        pytest.param(b"{", 400, "not JSON", id="no JSON"),
        pytest.param(b"[" * 100_000, 400, "not JSON", id="deep"),
        pytest.param(b'[{"id": NaN}]', 400, "not JSON", id="NaN"),
        pytest.param(b"\xff", 400, "not JSON", id="no UTF-8"),
        pytest.param({"id": "1"}, 400, "array of events", id="no array"),
        pytest.param([1], 400, "[0]", id="no object"),
        pytest.param([job_event(), {"id": "1"}], 400, "[1].subject", id="field missing"),
        pytest.param([job_event(eventTime="soon")], 400, "[0].eventTime", id="no time"),
        pytest.param([cloud_event(specversion="0.3")], 400, "specversion", id="old CloudEvent"),
        pytest.param([job_event(data="x" * 1024 * 1024)], 413, "larger", id="too large"),
    ],
)
def test_what_is_no_event_is_refused(
    connection: Connection, body: Any, status: int, message: str
) -> None:
    answer = publish(connection, body)
    assert answer.status_code == status
    assert message in answer.json()["error"]["message"]


def test_a_wrong_key_is_refused(connection: Connection) -> None:
    answer = publish(connection, [job_event()], key="wrong")
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "Unauthorized"


def test_an_unknown_topic_is_not_found(connection: Connection) -> None:
    url = f"{connection.platform_url}/eventgrid/unknown/api/events"
    assert httpx2.post(url, json=[]).status_code == 404


def test_a_failed_delivery_is_tried_again(connection: Connection, app: FunctionApp) -> None:
    app.answers += [500, 503]
    before = subscription_counts(connection, "jobs")["delivered"]
    publish(connection, [job_event()])
    until(lambda: len(app.received) == 3)
    counts = [received.headers["aeg-delivery-count"] for received in app.received]
    assert counts == ["0", "1", "2"]
    until(lambda: subscription_counts(connection, "jobs")["delivered"] == before + 1)
    assert subscription_counts(connection, "jobs")["pending"] == 0


def dead_letters(connection: Connection, identifier: str) -> list[tuple[str, dict[str, Any]]]:
    """Name and content of the dead letters of one event."""
    container = blobs(connection).get_container_client(CONTAINER)
    if not container.exists():
        return []
    names = [blob.name for blob in container.list_blobs()]
    letters = [(name, json.loads(container.download_blob(name).readall())) for name in names]
    return [(name, found[0]) for name, found in letters if found[0]["id"] == identifier]


@pytest.mark.parametrize(
    ("answers", "reason", "outcome"),
    [
        pytest.param([400], "UndeliverableDueToClientError", "BadRequest", id="at once"),
        pytest.param([500] * 3, "MaxDeliveryAttemptsExceeded", "InternalServerError", id="late"),
    ],
)
def test_an_event_that_is_given_up_becomes_a_blob(
    connection: Connection, app: FunctionApp, answers: list[int], reason: str, outcome: str
) -> None:
    sent = job_event()
    app.answers += answers
    publish(connection, [sent])
    [(name, found)] = until(lambda: dead_letters(connection, sent["id"]))
    now = datetime.now(UTC)
    assert name.startswith(f"JOBS/{now.year}/{now.month}/{now.day}/")
    assert found["data"] == sent["data"]
    assert found["deadLetterReason"] == reason
    assert found["lastDeliveryOutcome"] == outcome
    assert found["deliveryAttempts"] == len(answers) == len(app.received)
    assert found["publishTime"] <= found["lastDeliveryAttemptTime"]
    until(lambda: subscription_counts(connection, "jobs")["pending"] == 0)


@pytest.mark.slow
def test_kill_9_of_the_platform_loses_no_accepted_event(tmp_path: Path) -> None:
    with small_cloud(tmp_path, "platform") as connection:
        sent = {f"event-{number}" for number in range(20)}
        # Nobody listens yet, so all of them are owed when the process dies.
        for identifier in sorted(sent):
            assert publish(connection, [job_event(id=identifier)]).status_code == 200
        os.kill(Processes.load(connection.state_dir).parts["platform"].pid, signal.SIGKILL)
        with function_app(connection) as app:
            until(lambda: {event["id"] for event in app.events()} == sent, 30)


@pytest.mark.slow
def test_a_subscription_that_is_no_more_is_forgotten(tmp_path: Path) -> None:
    with small_cloud(tmp_path, "platform") as connection:
        publish(connection, [job_event()])
        assert subscription_counts(connection, "jobs")["pending"] == 1
        run_cli("down", connection.state_dir)
        write_manifest(tmp_path, event_subscriptions=[])
        again = start_cli(connection.state_dir, "platform")
        status = httpx2.get(f"{again.platform_url}/eventgrid/_status").json()
        assert status == {"subscriptions": []}
        run_cli("down", connection.state_dir)
    queue = DeliveryQueue(connection.state_dir / "eventgrid.db")
    assert queue.counts("jobs").pending == 0
    queue.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
ALMOST_EVENTS = st.one_of(
    JSON, st.lists(st.dictionaries(st.sampled_from([*job_event(), *cloud_event()]), JSON))
)


@given(document=ALMOST_EVENTS)
def test_foreign_input_is_parsed_or_refused(document: Any) -> None:
    try:
        events = parse_events(document, "/topic")
    except EventError:
        return
    assert all(isinstance(event["id"], str) for event in events)


def advanced(operator: str, key: str, *values: str) -> dict[str, Any]:
    return {"advanced_filters": [{"operator": operator, "key": key, "values": list(values)}]}


@pytest.mark.parametrize(
    ("subscription", "expected"),
    [
        pytest.param({}, True, id="no filter"),
        pytest.param({"event_types": ["A", "TEST.COMPLETED"]}, True, id="type"),
        pytest.param({"event_types": ["A"]}, False, id="other type"),
        pytest.param({"subject_begins_with": "Experiments/"}, True, id="beginning"),
        pytest.param({"subject_begins_with": DATASETS}, False, id="other beginning"),
        pytest.param({"subject_ends_with": "/RUN"}, True, id="end"),
        pytest.param({"subject_ends_with": ".jsonl"}, False, id="other end"),
        pytest.param(advanced("StringIn", "data.runId", "x", "R"), True, id="value"),
        pytest.param(advanced("StringIn", "data.runId", "x"), False, id="other value"),
        pytest.param(advanced("StringIn", "data.runId.more", "x"), False, id="no value"),
        pytest.param(advanced("StringNotIn", "data.runId", "R"), False, id="value not wanted"),
        pytest.param(advanced("StringNotIn", "data.runId", "x"), True, id="another is"),
        pytest.param(advanced("StringNotIn", "data.none", "x"), True, id="none is"),
    ],
)
def test_filters(subscription: dict[str, Any], expected: bool) -> None:
    wanting = EventSubscription(name="sub", topic="workspace", function="f", **subscription)
    assert wants(wanting, job_event()) is expected
    assert wants(wanting, cloud_event()) is expected


@given(attempts=st.integers(1, 100), factor=st.floats(0.001, 1))
def test_pauses_grow_to_azures_longest(attempts: int, factor: float) -> None:
    policy = RetryPolicy(factor, max_attempts=30, time_to_live_seconds=60)
    pause = policy.pause_after(attempts)
    assert AZURE_PAUSES_SECONDS[0] * factor <= pause <= AZURE_PAUSES_SECONDS[-1] * factor
    assert pause <= policy.pause_after(attempts + 1)


@pytest.mark.parametrize(
    ("attempts", "age", "status", "expected"),
    [
        pytest.param(1, 0, 500, None, id="again"),
        pytest.param(1, 0, None, None, id="no answer"),
        pytest.param(1, 0, 401, None, id="the host may not be ready"),
        pytest.param(1, 0, 400, "UndeliverableDueToClientError", id="400"),
        pytest.param(1, 0, 413, "UndeliverableDueToClientError", id="413"),
        pytest.param(3, 0, 500, "MaxDeliveryAttemptsExceeded", id="attempts"),
        pytest.param(1, 60, 500, "TimeToLiveExceeded", id="age"),
    ],
)
def test_giving_up(attempts: int, age: float, status: int | None, expected: str | None) -> None:
    policy = RetryPolicy(0.05, max_attempts=3, time_to_live_seconds=60)
    assert policy.reason_to_give_up(attempts, age, status) == expected


def test_a_dead_cloud_event_gets_lower_case_extensions() -> None:
    dead = Delivery(1, "Jobs", cloud_event(), 0, 0, 2, 3600, "NotFound", "TimeToLiveExceeded")
    assert letter(dead)["deadletterreason"] == "TimeToLiveExceeded"
    assert letter(dead)["lastdeliveryattempttime"] == "1970-01-01T01:00:00Z"
    assert blob_name(dead, datetime(2026, 1, 2, 3, tzinfo=UTC)).startswith("JOBS/2026/1/2/3/")

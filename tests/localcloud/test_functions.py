"""The Functions host, as its own process with a real app and a real storage account."""

import base64
import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from azure.core.exceptions import ResourceNotFoundError
from functions_host import (
    ROOT,
    RunningHost,
    make_connection,
    running_host,
    wait_for,
    write_app,
)

from localcloud.connection import Connection

WEBHOOK = "/runtime/webhooks/eventgrid"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, storage: str) -> Iterator[RunningHost]:
    """A host that serves the sample app."""
    directory = tmp_path_factory.mktemp("host")
    app = write_app(directory / "app", maxDequeueCount=3)
    with running_host(make_connection(directory / "state", app, storage)) as running:
        running.queue().create_queue()
        yield running


def event(name: str, **data: Any) -> dict[str, Any]:
    """An event in Event Grid's schema."""
    return {
        "id": name,
        "topic": "/topic",
        "subject": "/subject",
        "eventType": "Sample.Happened",
        "eventTime": "2026-01-02T03:04:05.1234567Z",
        "dataVersion": "1",
        "metadataVersion": "1",
        "data": data,
    }


def deliver(
    host: RunningHost, body: Any, function: str = "on_event", **headers: str
) -> httpx2.Response:
    """Post to the Event Grid webhook as Event Grid does."""
    return httpx2.post(
        host.url + WEBHOOK,
        params={"functionName": function, "code": host.connection.functions.eventgrid_key},
        content=body if isinstance(body, bytes) else json.dumps(body),
        headers={"aeg-event-type": "Notification", **headers},
    )


def send(host: RunningHost, **order: Any) -> str:
    """Send a base64 message to the sample app's queue. Returns its id."""
    text = base64.b64encode(json.dumps(order).encode()).decode()
    return str(host.queue().send_message(text).id)


def done(host: RunningHost, message: str) -> bool:
    """Whether the sample app has finished the message."""
    return any(r["id"] == message and r.get("done") for r in host.records("on_work"))


class TestHttp:
    def test_request_and_response_pass_through(self, host: RunningHost) -> None:
        answer = httpx2.put(
            f"{host.url}/api/items/apple/7?a=1&b=x%20y&a=2",
            content=b"hello",
            headers={"X-Sample": "yes"},
        )
        assert answer.status_code == 201
        assert answer.headers["x-answer"] == "42"
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {
            "method": "PUT",
            "params": {"a": "1,2", "b": "x y"},
            "route": {"name": "apple", "number": "7"},
            "header": "yes",
            "body": "hello",
        }

    def test_optional_parameter_may_be_absent(self, host: RunningHost) -> None:
        assert httpx2.get(f"{host.url}/api/ITEMS/pear").json()["route"] == {"name": "pear"}

    @pytest.mark.parametrize(
        "path", ["/api/items/4", "/api/items/apple/x", "/api/none", "/items/a"]
    )
    def test_unknown_path_is_not_found(self, host: RunningHost, path: str) -> None:
        assert httpx2.get(host.url + path).status_code == 404

    def test_the_root_has_the_hosts_own_page_where_no_function_answers(
        self, host: RunningHost
    ) -> None:
        answer = httpx2.get(f"{host.url}/")
        assert (answer.status_code, answer.headers["content-type"]) == (
            200,
            "text/html; charset=utf-8",
        )

    def test_wrong_method_is_not_found_as_on_azure(self, host: RunningHost) -> None:
        assert httpx2.post(f"{host.url}/api/broken").status_code == 404
        assert httpx2.request("HEAD", f"{host.url}/api/broken").status_code == 404

    @pytest.mark.parametrize("given", [{}, {"x-functions-key": "no"}, {"x-functions-key": "\xe4"}])
    def test_key_is_wanted(self, host: RunningHost, given: dict[str, str]) -> None:
        headers = {name: value.encode("latin-1") for name, value in given.items()}
        answer = httpx2.get(f"{host.url}/api/keyed", headers=headers)
        assert (answer.status_code, answer.content) == (401, b"")

    def test_key_in_header_or_query_opens_an_async_function(self, host: RunningHost) -> None:
        by_header = httpx2.get(f"{host.url}/api/keyed", headers={"x-functions-key": host.key})
        by_query = httpx2.get(f"{host.url}/api/keyed", params={"code": host.key})
        assert by_header.text == by_query.text == "keyed 36"

    def test_exception_is_an_empty_500_and_goes_to_the_log(self, host: RunningHost) -> None:
        answer = httpx2.get(f"{host.url}/api/broken")
        assert (answer.status_code, answer.content) == (500, b"")
        assert "RuntimeError: the sample's secret reason" in host.log()

    def test_host_status_needs_the_key(self, host: RunningHost) -> None:
        url = f"{host.url}/admin/host/status"
        assert httpx2.get(url).status_code == 401
        assert httpx2.get(url, params={"code": host.key}).json()["state"] == "Running"


class TestEventGrid:
    def test_each_event_is_one_invocation(self, host: RunningHost) -> None:
        assert deliver(host, [event("e1", n=1), event("e2", n=2)]).status_code == 202
        seen = {r["id"]: r for r in host.records("on_event")}
        assert seen["e1"]["data"] == {"n": 1}
        assert seen["e2"]["type"] == "Sample.Happened"

    def test_cloud_events(self, host: RunningHost) -> None:
        cloud_event = {"specversion": "1.0", "id": "c1", "source": "/s", "type": "T", "data": {}}
        answer = deliver(host, cloud_event, "ON_CLOUD_EVENT")
        assert answer.status_code == 202
        assert host.records("on_cloud_event")[-1]["id"] == "c1"

    def test_one_failure_fails_the_delivery(self, host: RunningHost) -> None:
        assert deliver(host, [event("f1"), event("f2", fail=True)]).status_code == 500

    def test_handshake(self, host: RunningHost) -> None:
        validation = event("v", validationCode="abc", validationUrl="http://127.0.0.1")
        headers = {"aeg-event-type": "SubscriptionValidation"}
        answer = deliver(host, [validation], **headers)
        assert (answer.status_code, answer.json()) == (200, {"validationResponse": "abc"})
        assert deliver(host, [event("v")], **headers).status_code == 400

    def test_cloud_events_handshake(self, host: RunningHost) -> None:
        answer = httpx2.options(
            host.url + WEBHOOK,
            params={"functionName": "on_event", "code": host.connection.functions.eventgrid_key},
            headers={"WebHook-Request-Origin": "eventgrid.azure.net"},
        )
        assert answer.headers["webhook-allowed-origin"] == "eventgrid.azure.net"

    @pytest.mark.parametrize("body", [b"", b"{", b"3", b"[3]", b'[{"id": "x"}]', b"[" * 99_999])
    def test_nonsense_is_a_bad_request(self, host: RunningHost, body: bytes) -> None:
        assert deliver(host, body).status_code == 400

    def test_too_much_is_refused(self, host: RunningHost) -> None:
        assert deliver(host, b" " * (1024 * 1024 + 1)).status_code == 413

    def test_unknown_function_and_wrong_key(self, host: RunningHost) -> None:
        assert deliver(host, [], "on_work").status_code == 404
        params = {"functionName": "on_event", "code": host.key}
        assert httpx2.post(host.url + WEBHOOK, params=params, json=[]).status_code == 401


class TestQueue:
    def test_message_is_handled_once_and_deleted(self, host: RunningHost) -> None:
        message = send(host, n=1)
        wait_for(lambda: done(host, message))
        first = next(r for r in host.records("on_work") if r["id"] == message)
        assert (first["order"], first["count"]) == ({"n": 1}, 1)
        assert first["inserted"].endswith("+00:00")
        wait_for(lambda: not host.queue().peek_messages())

    def test_messages_run_at_the_same_time(self, host: RunningHost) -> None:
        messages = [send(host, sleep=2) for _ in range(6)]
        wait_for(lambda: all(done(host, message) for message in messages), 8)

    def test_output_binding_feeds_the_trigger(self, host: RunningHost) -> None:
        mark = str(uuid.uuid4())
        answer = httpx2.post(f"{host.url}/api/enqueue", json={"mark": mark})
        assert answer.text == "sent"
        wait_for(lambda: any(r.get("order") == {"mark": mark} for r in host.records("on_work")))

    def test_failing_message_ends_in_the_poison_queue(self, host: RunningHost) -> None:
        message = send(host, fail=True)
        poison = host.queue("-poison")
        found = wait_for(lambda: _received(poison))
        assert json.loads(base64.b64decode(found.content)) == {"fail": True}
        counts = [r["count"] for r in host.records("on_work") if r["id"] == message]
        assert counts == [1, 2, 3]

    def test_undecodable_message_ends_in_the_poison_queue(self, host: RunningHost) -> None:
        host.queue().send_message("not base64!")
        assert wait_for(lambda: _received(host.queue("-poison"))).content == "not base64!"

    @pytest.mark.slow
    @pytest.mark.soak
    def test_long_invocation_keeps_its_message(self, host: RunningHost) -> None:
        message = send(host, sleep=18)
        wait_for(lambda: done(host, message), 30)
        assert sum(r["id"] == message for r in host.records("on_work")) == 2  # began and done


def _received(queue: Any) -> Any:
    try:
        message = next(iter(queue.receive_messages(max_messages=1)), None)
    except ResourceNotFoundError:
        return None
    if message:
        queue.delete_message(message)
    return message


class TestTimers:
    def test_schedule_and_startup(self, host: RunningHost) -> None:
        wait_for(lambda: len(host.records("every_second")) >= 3)
        (at_start,) = host.records("at_start")
        assert at_start["past_due"] is False
        assert at_start["status"]["Next"].endswith("-01-01T00:00:00Z")


class TestRestart:
    @pytest.fixture
    def connection(self, tmp_path: Path, storage: str) -> Connection:
        """For a host that is not started yet."""
        return make_connection(tmp_path / "state", write_app(tmp_path / "app"), storage)

    def test_sigterm_waits_for_what_runs(self, connection: Connection) -> None:
        with running_host(connection) as host:
            host.queue().create_queue()
            message = send(host, sleep=1)
            wait_for(lambda: host.records("on_work"))
            host.process.send_signal(signal.SIGTERM)
            host.process.wait(8)
            assert done(host, message)
            assert not _received(host.queue())

    @pytest.mark.slow
    @pytest.mark.soak
    def test_message_of_a_killed_host_comes_again(self, connection: Connection) -> None:
        with running_host(connection) as host:
            host.queue().create_queue()
            message = send(host, sleep=1)
            wait_for(lambda: host.records("on_work"))
            host.process.kill()
        with running_host(connection) as host:
            wait_for(lambda: done(host, message), 30)
            assert [r["count"] for r in host.records("on_work") if "count" in r] == [1, 2]

    def test_missed_timer_is_past_due(self, connection: Connection) -> None:
        timers = connection.state_dir / "functions" / "timers.json"
        with running_host(connection) as host:
            wait_for(lambda: host.records("at_start") and timers.exists())
        statuses = json.loads(timers.read_text())
        statuses["at_start"]["Next"] = "2020-01-01T00:00:00Z"
        timers.write_text(json.dumps(statuses))
        with running_host(connection) as host:
            wait_for(lambda: len(host.records("at_start")) == 2)
            assert host.records("at_start")[-1]["past_due"] is True

    def test_host_ends_with_its_parent(self, connection: Connection) -> None:
        with running_host(connection) as host:
            assert host.process.stdin
            host.process.stdin.close()
            assert host.process.wait(5) == 0

    def test_queues_and_timers_may_have_a_process_of_their_own(
        self, tmp_path: Path, storage: str
    ) -> None:
        app = write_app(tmp_path / "app")
        connection = make_connection(tmp_path / "state", app, storage, functions_apart=True)
        with running_host(connection) as host:
            host.queue().create_queue()
            assert httpx2.post(f"{host.url}/api/enqueue", json={}).text == "sent"
            wait_for(lambda: any(r.get("done") for r in host.records("on_work")))
            wait_for(lambda: host.records("at_start"))
            (behind,) = psutil.Process(host.process.pid).children()
            behind.kill()
            assert host.process.wait(10) == 0, "one does not go on without the other"


HEADER = "import azure.functions as func\napp = func.FunctionApp()\n"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        pytest.param("app = 3", "must have one FunctionApp", id="no app"),
        pytest.param(
            "import nothing_like_this", "can't be imported: ModuleNotFoundError", id="import"
        ),
        pytest.param(HEADER, "declares no function", id="no function"),
        pytest.param(
            HEADER + "@app.blob_trigger(arg_name='b', path='a/b', connection='X')\n"
            "def f(b: func.InputStream): ...",
            "function f: blob triggers are not supported",
            id="blob trigger",
        ),
        pytest.param(
            HEADER
            + "@app.service_bus_queue_trigger(arg_name='b', queue_name='a', connection='X')\n"
            "def f(b): ...",
            "function f: binding 'b': this host has no 'serviceBusTrigger'",
            id="unknown binding",
        ),
        pytest.param(
            HEADER + "@app.route()\n@app.blob_input(arg_name='b', path='a/b', connection='X')\n"
            "def f(req, b): ...",
            "function f: binding 'b': this host has no 'blob'",
            id="unknown input",
        ),
        pytest.param(
            HEADER + "@app.queue_trigger(arg_name='m', queue_name='%NO%', connection='X')\n"
            "def f(m): ...",
            "there is no app setting 'NO'",
            id="app setting",
        ),
        pytest.param(
            HEADER + "@app.queue_trigger(arg_name='m', queue_name='q', connection='X')\n"
            "def f(m): ...",
            "there is no app setting 'X'",
            id="connection",
        ),
        pytest.param(
            HEADER + "@app.timer_trigger(arg_name='t', schedule='61 * * * * *')\ndef f(t): ...",
            "function f: schedule '61 * * * * *'",
            id="schedule",
        ),
        pytest.param(
            HEADER + "@app.route(route='a/{b:even}')\ndef f(req): ...",
            "has an unsupported constraint",
            id="route",
        ),
        pytest.param(
            HEADER + "@app.route()\ndef f(req: func.QueueMessage): ...",
            "parameter 'req' of a httpTrigger can't be a",
            id="annotation",
        ),
        pytest.param(
            HEADER + "@app.route()\ndef f(request, more): ...",
            "its bindings have no parameter: req",
            id="arg_name",
        ),
    ],
)
def test_app_that_cannot_be_served(tmp_path: Path, script: str, message: str) -> None:
    source = tmp_path / "source.py"
    source.write_text(script)
    make_connection(tmp_path / "state", write_app(tmp_path / "app", source))
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "localcloud.functions",
            "--foreground",
            "--state",
            tmp_path / "state",
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert ended.returncode == 1
    error = ended.stderr.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error

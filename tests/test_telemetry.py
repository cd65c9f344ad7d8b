"""Logs, traces and metrics: what they say, what they carry across queues, what they never show."""

import base64
import json
import logging
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest
from azure.storage.queue import QueueClient
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from tests.config_text import config_of
from tuneops.desired import Source
from tuneops.inheriting import inheriting
from tuneops.notify.channel import ChannelBusyError, ChannelError
from tuneops.phase import Phase
from tuneops.queue import ProjectRequest
from tuneops.release import Release
from tuneops.services import Services
from tuneops.telemetry import carried, fields, lines, metrics, poison, releases, starting, tracing
from tuneops.telemetry.addresses import service_of
from tuneops.telemetry.calls import Calls
from tuneops.telemetry.carried import Carrier
from tuneops.telemetry.current import Invocation, being
from tuneops.telemetry.deliveries import delivering
from tuneops.telemetry.known import netlocs, secrets
from tuneops.telemetry.sampling import Sampling
from tuneops.telemetry.scrubbing import ScrubbedSpans, Scrubber
from tuneops.telemetry.trigger import Trigger, observed
from tuneops.telemetry.work import Work

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
PARENT = f"00-{'a' * 32}-{'b' * 16}-01"
KINDS = {"RECONCILE_LAG": "histogram", "PHASE_DURATION": "histogram", "QUEUE_POISON": "gauge"}
SECRET = "s3cr3t-of-the-settings"
KNOWN = {"127.0.0.1:9000": "github"}

Measured = Callable[[], dict[str, list[tuple[dict[str, Any], Any]]]]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What was told of spans, without routine."""
    provider, kept = TracerProvider(Sampling(0)), InMemorySpanExporter()
    provider.add_span_processor(Calls(KNOWN))
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(tracing, "TRACER", provider.get_tracer("tuneops"))
    yield kept
    provider.shutdown()


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[Measured]:
    """What was measured, by name: attributes and value, or the sum of a histogram."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    meter = provider.get_meter("tuneops")
    for name in [name for name in vars(metrics) if name.isupper() and name[0] != "_"]:
        make = getattr(meter, f"create_{KINDS.get(name, 'counter')}")
        monkeypatch.setattr(metrics, name, make(f"tuneops.{name.lower().replace('_', '.')}"))

    def read() -> dict[str, list[tuple[dict[str, Any], Any]]]:
        data = reader.get_metrics_data()
        found: dict[str, list[tuple[dict[str, Any], Any]]] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = metric.data.data_points
                    values = [(dict(p.attributes or {}), _value(p)) for p in points]
                    found[metric.name.removeprefix("tuneops.")] = values
        return found

    yield read
    provider.shutdown()


def _value(point: Any) -> Any:
    return point.sum if hasattr(point, "sum") else point.value


def release(**changes: Any) -> Release:
    """A release that has just begun."""
    begun = Release(
        project="production.bot",
        number=3,
        fingerprint="f",
        commit="c" * 40,
        config=config_of("bot"),
        source=Source(name="a.jsonl", version="1", size=1),
        endpoint="e",
        phase=Phase.PREPARING,
        trace=Carrier(traceparent=PARENT),
    )
    return begun.advance(Phase.PREPARING, NOW, "").replace(**changes)


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def named(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in spans.get_finished_spans()}


def place_of(span: ReadableSpan) -> str:
    context = span.get_span_context()
    assert context is not None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def test_whatever_goes_wrong_with_its_start_keeps_no_function_from_its_work(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(starting, "_started", False)
    monkeypatch.setattr(lines, "install", lambda *_: 1 / 0)
    starting.start()
    assert "there will be no telemetry" in caplog.text


# What messages carry


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (PARENT, PARENT),
        (PARENT.upper(), ""),
        (f"00-{'0' * 32}-{'b' * 16}-01", ""),
        (f"00-{'a' * 32}-{'0' * 16}-01", ""),
        (f"01-{'a' * 32}-{'b' * 16}-01", ""),
        (f"{PARENT}-{'x' * 100_000}", ""),
        (f"{PARENT}\n", ""),
        ("", ""),
        (None, ""),
        (7, ""),
        ([PARENT], ""),
    ],
)
def test_only_a_sound_traceparent_is_followed(given: object, kept: str) -> None:
    body = json.dumps({"kind": "project", "project": "bot", "traceparent": given}).encode()
    assert carried.read(body).traceparent == kept
    assert ProjectRequest.model_validate_json(body).project == "bot"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=200)
    | st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("traceparent", "tracestate", "since"), JSON)
    )
)
def test_whatever_stands_in_a_message_is_read(body: bytes | dict[str, Any]) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = carried.read(raw)
    assert re.fullmatch(r"(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})?", found.traceparent)
    assert len(found.tracestate) <= carried.MAX_TRACESTATE
    assert found.since is None or found.since.tzinfo
    with tracing.continued(found, "reads"), tracing.placed(found):
        assert set(found.headers) <= {"traceparent", "tracestate"}


def received(services: Services) -> list[dict[str, Any]]:
    held = services.settings.storage_connection_string
    assert held is not None
    queue = services.settings.reconcile_queue
    client = QueueClient.from_connection_string(held.get_secret_value(), queue)
    return [json.loads(base64.b64decode(each.content)) for each in client.receive_messages()]


def test_a_trace_goes_on_through_the_queue(
    services: Services, spans: InMemorySpanExporter, measured: Measured
) -> None:
    happened = datetime.now(UTC) - timedelta(seconds=90)

    @observed(Trigger.EVENT)
    def uploaded(event: func.EventGridEvent) -> None:
        services.queue.send(ProjectRequest(project="bot"))

    @observed(Trigger.MESSAGE)
    def look(message: func.QueueMessage) -> None:
        with Work("bot") as work:
            work.follow(None)

    uploaded(
        func.EventGridEvent(
            id="e",
            data={},
            topic="t",
            subject="s",
            event_type="Microsoft.Storage.BlobCreated",
            event_time=happened.replace(tzinfo=None),
            data_version="1",
        )
    )
    (body,) = received(services)
    assert body["traceparent"] == place_of(named(spans)["uploaded"])
    look(func.QueueMessage(body=json.dumps(body).encode()))
    told = named(spans)
    assert told["look"].parent is not None
    assert told["look"].parent.span_id == told["uploaded"].get_span_context().span_id
    assert len({span.get_span_context().trace_id for span in told.values()}) == 1
    assert told["reconcile project"].attributes["tuneops.project"] == "bot"
    found = measured()
    ((_, lag),) = found["reconcile.lag"]
    assert 90 <= lag < 120
    assert found["events"] == [
        ({"kind": "uploaded", "result": "queued"}, 1),
        ({"kind": "look", "result": "done"}, 1),
    ]


def test_what_threads_do_belongs_to_whoever_has_given_them_work(
    spans: InMemorySpanExporter,
) -> None:
    def work(number: int) -> str:
        with tracing.spanned(f"part {number}"):
            return fields.current()[fields.PROJECT]

    with ThreadPoolExecutor(3) as pool, fields.bound({fields.PROJECT: "bot"}):
        with tracing.spanned("all"):
            done = pool.map(inheriting(work), range(9))
        assert set(done) == {"bot"}
    found = spans.get_finished_spans()
    (whole,) = [span for span in found if span.name == "all"]
    parts = [span for span in found if span is not whole]
    assert len(parts) == 9
    assert all(span.parent == whole.get_span_context() for span in parts)


def test_a_message_without_a_trace_is_as_one_of_an_earlier_version(services: Services) -> None:
    with being(Invocation(None)):
        services.queue.send(ProjectRequest(project="bot"))
    assert received(services) == [ProjectRequest(project="bot").model_dump(mode="json")]


def test_routine_is_counted_and_not_kept(spans: InMemorySpanExporter, measured: Measured) -> None:
    @observed(Trigger.TIMER)
    def timer(timer: func.TimerRequest) -> None:
        call("127.0.0.1:9000", 200)

    timer(SimpleNamespace())
    assert spans.get_finished_spans() == ()
    assert measured()["azure.calls"] == [
        ({"service": "github", "method": "GET", "status": "200"}, 1)
    ]


# One release, one trace


def look(release: Release | None, woken_by: str = "wakes") -> None:
    """A look at the release's project, by an event of its own."""
    with tracing.spanned(woken_by), Work("production.bot") as work:
        work.follow(release)


def test_whatever_wakes_a_release_its_trace_goes_on(spans: InMemorySpanExporter) -> None:
    look(release())
    told = named(spans)
    span = told["reconcile project"]
    assert f"{span.get_span_context().trace_id:032x}" == "a" * 32
    assert [link.context.span_id for link in span.links] == [
        told["wakes"].get_span_context().span_id
    ]
    assert span.attributes == {
        "tuneops.project": "production.bot",
        "tuneops.environment": "production",
        "tuneops.release": "3",
        "tuneops.commit": "c" * 40,
    }


@pytest.mark.parametrize("other", [release(trace=Carrier()), release(phase=Phase.LIVE), None])
def test_without_a_release_on_its_way_a_look_belongs_to_what_woke_it(
    other: Release | None, spans: InMemorySpanExporter
) -> None:
    look(other)
    told = named(spans)
    assert told["reconcile project"].parent == told["wakes"].get_span_context()
    assert told["reconcile project"].links == ()


def test_a_release_that_a_timer_found_is_kept_from_then_on(spans: InMemorySpanExporter) -> None:
    with tracing.spanned("timer", {fields.ROUTINE: True}), Work("bot") as work:
        work.follow(None)
        work.follow(release(trace=work.begun_by))
    told = named(spans)
    assert list(told) == ["reconcile project"]
    assert int(work.begun_by.traceparent[-2:], 16) & trace.TraceFlags.SAMPLED
    assert told["reconcile project"].parent.span_id == int(work.begun_by.traceparent[36:52], 16)


def test_each_phase_is_told_once_it_is_saved(
    spans: InMemorySpanExporter, measured: Measured
) -> None:
    begun = release()
    trained = begun.advance(Phase.TRAINING, at(2), "")
    more = trained.replace(history=(*trained.history, trained.history[-1].replace(at=at(9))))
    failed = more.advance(Phase.FAILED, at(62), "")
    retired = failed.advance(Phase.RETIRED, at(90), "")
    steps = [None, begun, begun.replace(repairs=1), trained, more, failed, retired]
    for before, after in pairwise(steps):
        assert after is not None
        releases.moved(before, after)
    told = spans.get_finished_spans()
    assert [(s.name, s.attributes["tuneops.phase"], minutes(s)) for s in told] == [
        ("phase Preparing", "Preparing", 2),
        ("phase Training", "Training", 60),
        ("release", "Failed", 62),
    ]
    assert {f"{span.get_span_context().trace_id:032x}" for span in told} == {"a" * 32}
    found = measured()
    assert found["phase.duration"] == [
        ({"phase": "Preparing", "outcome": "completed"}, 120),
        ({"phase": "Training", "outcome": "Failed"}, 3600),
    ]
    assert found["releases.ended"] == [({"phase": "Failed", "project": "production.bot"}, 1)]


def test_what_is_made_again_is_told_from_where_that_began(spans: InMemorySpanExporter) -> None:
    known = release()
    path = [
        "Training",
        "Evaluating",
        "Registering",
        *("Deploying", "Testing", "Shifting", "Live") * 2,
    ]
    for minute, phase in enumerate(path, start=1):
        moved = known.advance(Phase(phase), at(minute), "")
        releases.moved(known, moved)
        known = moved
    whole = [minutes(span) for span in spans.get_finished_spans() if span.name == "release"]
    assert whole == [7, 3]
    assert "phase Live" not in named(spans)


def minutes(span: ReadableSpan) -> float:
    assert span.end_time is not None
    assert span.start_time is not None
    return (span.end_time - span.start_time) / 60e9


# What is measured


def call(host: str, status: int | None, url: str = "https://x/") -> None:
    """A request, as the Azure SDK and the instrumentations tell of one."""
    name, _, port = host.partition(":")
    said = {"http.request.method": "GET", "server.address": name, "url.full": url}
    said |= {"server.port": int(port)} if port else {}
    said |= {"http.response.status_code": status} if status else {}
    tracing.TRACER.start_span("GET", kind=SpanKind.CLIENT, attributes=said).end()


@pytest.mark.parametrize(
    ("host", "status", "service", "throttled"),
    [
        ("acc.blob.core.windows.net", 503, "blob", True),
        ("acc.queue.core.chinacloudapi.cn:443", 200, "queue", False),
        ("management.azure.com", 429, "management", True),
        ("management.azure.com", 503, "management", False),
        ("eastus.api.azureml.ms", None, "azureml", False),
        ("bot.eastus.inference.ml.azure.com", 429, "endpoint", True),
        ("eastus.metrics.monitor.azure.com", 200, "monitor", False),
        ("login.microsoftonline.com", 200, "identity", False),
        ("127.0.0.1:9000", 200, "github", False),
        ("hooks.slack.com", 429, "", False),
        ("prod-1.westeurope.logic.azure.com", 429, "", False),
    ],
)
def test_calls_are_counted_by_service(
    host: str,
    status: int | None,
    service: str,
    throttled: bool,
    spans: InMemorySpanExporter,
    measured: Measured,
) -> None:
    call(host, status)
    found = measured()
    told = {"service": service, "method": "GET", "status": str(status or "none")}
    assert found.get("azure.calls", []) == ([(told, 1)] if service else [])
    assert found.get("azure.throttled", []) == ([({"service": service}, 1)] if throttled else [])


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (None, "sent"),
        (ChannelError("x"), "failed"),
        (ChannelError("x", permanent=True), "refused"),
        (ChannelBusyError("x"), "busy"),
        (ValueError("x"), "failed"),
    ],
)
def test_deliveries_are_counted_by_what_came_of_them(
    error: Exception | None, result: str, spans: InMemorySpanExporter, measured: Measured
) -> None:
    channel, message = SimpleNamespace(name="team"), SimpleNamespace(project="bot", release=None)
    message.commit = "c"

    def send() -> None:
        with delivering(message, channel):  # type: ignore[arg-type]
            if error:
                raise error

    if error:
        with pytest.raises(type(error)):
            send()
    else:
        send()
    assert measured()["deliveries"] == [({"channel": "team", "result": result}, 1)]
    (span,) = spans.get_finished_spans()
    assert span.status.is_ok is (error is None)
    assert span.events == ()


def test_what_was_given_up_is_measured(
    services: Services, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    poison.measure(services)
    assert measured() == {}
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    held, queue = services.settings.storage_connection_string, services.settings.reconcile_queue
    assert held is not None
    given_up = QueueClient.from_connection_string(held.get_secret_value(), f"{queue}-poison")
    given_up.create_queue()
    given_up.send_message("x")
    poison.measure(services)
    deliver = services.settings.deliver_queue
    assert measured()["queue.poison"] == [({"queue": queue}, 1), ({"queue": deliver}, 0)]


@pytest.mark.parametrize(
    ("trigger", "answer", "result"),
    [
        (Trigger.ORDER, func.HttpResponse(status_code=200), "done"),
        (Trigger.ORDER, func.HttpResponse(status_code=403), "refused"),
        (Trigger.ORDER, func.HttpResponse(status_code=404), "invalid"),
        (Trigger.ORDER, RuntimeError(), "failed"),
        (Trigger.READING, func.HttpResponse(status_code=200), None),
    ],
)
def test_calls_of_functions_are_counted_by_what_came_of_them(
    trigger: Trigger, answer: Any, result: str | None, measured: Measured
) -> None:
    @observed(trigger)
    def pin(req: func.HttpRequest) -> func.HttpResponse:
        if isinstance(answer, Exception):
            raise answer
        return answer

    request = SimpleNamespace(headers={})
    if isinstance(answer, Exception):
        with pytest.raises(RuntimeError):
            pin(request)
    else:
        assert pin(request) is answer
    counted = [({"kind": "pin", "result": result}, 1)] if result else []
    assert measured().get("events", []) == counted


# What is never shown


@pytest.mark.parametrize(
    ("scope", "url", "seen"),
    [
        (
            "azure-core",
            "https://a.blob.core.windows.net/c/b.jsonl?sv=1&sig=abcdefghijk",
            "https://a.blob.core.windows.net/c/b.jsonl",
        ),
        (
            "opentelemetry.instrumentation.httpx",
            "http://me:pw@127.0.0.1:9000/repos/o/r?access_token=abcdefghijk",
            "http://127.0.0.1:9000/repos/o/r",
        ),
        (
            "opentelemetry.instrumentation.httpx",
            "https://hooks.slack.com/services/T0/B0/abcdefghijk",
            "https://hooks.slack.com",
        ),
        (
            "opentelemetry.instrumentation.requests",
            "https://discord.com/api/webhooks/1/abcdefghijk?wait=1",
            "https://discord.com",
        ),
        ("opentelemetry.instrumentation.requests", "http://[bad/abcdefghijk", ""),
    ],
)
def test_an_address_shows_no_secret(scope: str, url: str, seen: str) -> None:
    provider, kept = TracerProvider(), InMemorySpanExporter()
    scrubber = Scrubber([SECRET], KNOWN)
    provider.add_span_processor(SimpleSpanProcessor(ScrubbedSpans(kept, scrubber)))
    with provider.get_tracer(scope).start_as_current_span(f"GET {SECRET}") as span:
        span.set_attribute("url.full", url)
        span.set_attribute("url.query", "sig=abcdefghijk")
        span.set_attribute("said", [f"key {SECRET}", "Bearer abcdefghijk"])
        if scope.startswith("opentelemetry") and "9000" not in url:
            span.record_exception(ValueError(f"no answer from {url}"))
    (told,) = kept.get_finished_spans()
    assert told.attributes["url.full"] == seen
    everything = told.to_json()
    assert "abcdefghijk" not in everything
    assert SECRET not in everything
    assert told.name == "GET [hidden]"


def test_secrets_and_addresses_are_those_of_the_settings(services: Services) -> None:
    own = services.settings.model_copy(update={"github_api_url": "https://git.contoso.com/api/v3"})
    found = secrets(own, {"TUNEOPS_CHANNEL_TEAMS": "https://x/y", "PATH": "/usr/bin"})
    held = own.storage_connection_string
    assert held is not None
    (key,) = re.findall("AccountKey=([^;]+)", held.get_secret_value())
    assert {key, "secret", "https://x/y", held.get_secret_value()} <= set(found)
    assert "/usr/bin" not in found
    known = netlocs(own)
    assert service_of("git.contoso.com", known) == "github"
    assert {"blob", "queue", "management", "github"} == set(known.values())


# Log lines


@pytest.fixture
def written(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """What a handler writes in a form; afterwards records are made as before."""
    before, told = logging.getLogRecordFactory(), []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(handler.format(record))  # type: ignore[method-assign]
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    lines.install(request.param, [handler], [SECRET])
    own = logging.getLogger("tuneops.test")
    own.addHandler(handler)
    yield lambda: told[-1]
    own.removeHandler(handler)
    logging.setLogRecordFactory(before)


SAID = {fields.PROJECT: "bot", fields.RELEASE: "3", fields.INVOCATION: "i-1", fields.COMMIT: ""}


@pytest.mark.parametrize("written", ["text"], indirect=True)
def test_a_line_of_text_says_whose_work_it_is(written: Callable[[], str]) -> None:
    with fields.bound(SAID):
        logging.getLogger("tuneops.test").warning("with %s\nand more", SECRET)
    assert written() == "WARNING with [hidden] [project=bot release=3 invocation=i-1]\nand more"
    logging.getLogger("tuneops.test").warning("nobody's")
    assert written() == "WARNING nobody's"


@pytest.mark.parametrize("written", ["json"], indirect=True)
def test_a_line_of_json_says_whose_work_it_is(
    written: Callable[[], str], spans: InMemorySpanExporter
) -> None:
    try:
        raise ValueError(SECRET)
    except ValueError:
        with fields.bound(SAID), tracing.spanned("s") as span:
            logging.getLogger("tuneops.test").exception("token=%s", "abcdefghijk")
    line = json.loads(written())
    place = span.get_span_context()
    assert line.pop("time")
    error = line.pop("exception")
    assert error.endswith("ValueError: [hidden]")
    assert "Traceback" in error
    assert line == {
        "level": "ERROR",
        "logger": "tuneops.test",
        "message": "token=[hidden]",
        "tuneops.project": "bot",
        "tuneops.release": "3",
        "faas.invocation_id": "i-1",
        "trace_id": trace.format_trace_id(place.trace_id),
        "span_id": trace.format_span_id(place.span_id),
    }

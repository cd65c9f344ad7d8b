"""Telemetry as it is sent: by a function app in a process of its own, to a collector that listens.

Application Insights is dead meanwhile, and so is everything in one of the tests.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.collector import Collector, collecting, said, silent
from tests.test_functions_worker import app_settings
from tuneops.services import Services
from tuneops.telemetry.providers import FAREWELL_SECONDS

ROOT = Path(__file__).parents[1]
DEAD = "http://127.0.0.1:9"
INSIGHTS = f"InstrumentationKey=00000000-0000-0000-0000-000000000001;IngestionEndpoint={DEAD}/"
AN_EXPORT_SECONDS = 10
"""After which an exporter gives up a collector that does not answer."""
CALLS = """
import json, logging, sys, time
import function_app
from types import SimpleNamespace

logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
context = SimpleNamespace(invocation_id="i-1", function_name="resync")
spent = []
for _ in range(3):
    begun = time.perf_counter()
    function_app.on_timer(None, context=context)
    logging.getLogger("tuneops.test").warning("done by %s", sys.argv[1])
    spent.append(time.perf_counter() - begun)
print(json.dumps({"spent": spent, "loaded": sorted(sys.modules)}))
"""


def called(services: Services, **environment: str) -> tuple[dict[str, list[Any]], str, float]:
    """What the timer's calls say, what they log, and how long the process takes to end then."""
    ended = subprocess.run(
        [sys.executable, "-c", CALLS + "\nprint(time.time())", "secret"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **app_settings(services.settings), **environment},
    )
    over = time.time()
    assert ended.returncode == 0, ended.stderr
    answer, last = ended.stdout.splitlines()
    return json.loads(answer), ended.stderr, over - float(last)


def test_everything_is_sent_and_nothing_secret(services: Services) -> None:
    with collecting() as collector:
        _, logged, _ = called(
            services,
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
            APPLICATIONINSIGHTS_CONNECTION_STRING=INSIGHTS,
            TUNEOPS_TRACE_SAMPLE="1",
        )
    timers = [span for span in collector.spans if span.name == "resync"]
    assert len(timers) == 3
    assert said(timers[0].attributes).items() >= {"faas.invocation_id": "i-1"}.items()
    of_timer = [span for span in collector.spans if span.trace_id == timers[0].trace_id]
    addresses = {said(span.attributes).get("url.full", "") for span in of_timer}
    assert any(f"/{services.settings.reconcile_queue}/messages" in each for each in addresses)
    assert {
        "tuneops.azure.calls",
        "tuneops.events",
        "tuneops.queue.poison",
    } <= collector.metrics
    assert "done by [hidden]" in [line for line, _ in collector.lines]
    assert "WARNING done by [hidden]" in logged
    check_nothing_secret(collector, app_settings(services.settings))


def check_nothing_secret(collector: Collector, settings: dict[str, str]) -> None:
    """No secret of the settings, and no signature, stands in anything that was sent."""
    (key,) = [
        part.partition("=")[2]
        for part in settings["AzureWebJobsStorage"].split(";")
        if part.startswith("AccountKey=")
    ]
    for secret in (key, settings["TUNEOPS_GITHUB_WEBHOOK_SECRET"], "sig=", "Bearer ", "SharedKey"):
        assert not collector.holds(secret), secret


def test_dead_collectors_cost_nothing(services: Services) -> None:
    with silent() as endpoint:
        answer, _, farewell = called(
            services,
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            APPLICATIONINSIGHTS_CONNECTION_STRING=INSIGHTS,
        )
    assert max(answer["spent"]) < AN_EXPORT_SECONDS
    assert FAREWELL_SECONDS - 1 < farewell < AN_EXPORT_SECONDS


def test_without_an_exporter_no_sdk_is_loaded(services: Services) -> None:
    answer, logged, _ = called(services, TUNEOPS_LOG_FORMAT="json")
    assert not [name for name in answer["loaded"] if name.startswith("opentelemetry.sdk")]
    (line,) = [line for line in map(json.loads, logged.splitlines()) if "done" in line["message"]][
        :1
    ]
    assert line["message"] == "done by [hidden]"

"""What a piece of work costs: time, calls to storage with their bytes, to Azure and to GitHub."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import SansIOHTTPPolicy

from tests.calls import Calls
from tuneops.queue import RequestQueue
from tuneops.services import Services, open_blobs, open_queue
from tuneops.settings import Settings

Figures = dict[str, float]


class Counting(SansIOHTTPPolicy[Any, Any]):
    """Counts the calls that go through a client's pipeline."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.calls = self.sent = self.received = 0

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """A call goes out."""
        with self._lock:
            self.calls += 1
            self.sent += int(request.http_request.headers.get("Content-Length", 0))

    def on_response(
        self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]
    ) -> None:
        """Its answer comes."""
        with self._lock:
            self.received += int(response.http_response.headers.get("Content-Length", 0))


class Meter:
    """Measures what is done with `services`, whose calls to storage are counted."""

    def __init__(self, settings: Settings, connection: dict[str, Any]) -> None:
        self.counting = Counting()
        self.services = Services(settings)
        counted: dict[str, Any] = {"_additional_pipeline_policies": [self.counting]}
        own = self.services.__dict__
        own["blobs"] = open_blobs(settings, **counted)
        requests = RequestQueue(open_queue(settings, settings.reconcile_queue, **counted))
        own["queue"] = own["prompt_queue"] = requests
        own["deliveries"] = RequestQueue(open_queue(settings, settings.deliver_queue, **counted))
        self.calls = Calls(connection)

    def measure(self, work: Callable[[], object]) -> Figures:
        """Do it once."""
        self.calls.take()
        counted = self.counting
        calls, sent, received = counted.calls, counted.sent, counted.received
        begun, busy = time.perf_counter(), time.process_time()
        work()
        seconds, cpu = time.perf_counter() - begun, time.process_time() - busy
        asked = self.calls.take()
        github = sum(n for name, n in asked.items() if name.endswith((" 200", " 304", " 201")))
        return {
            "seconds": round(seconds, 3),
            "cpu_seconds": round(cpu, 3),
            "storage_calls": counted.calls - calls,
            "sent_kb": round((counted.sent - sent) / 1000, 1),
            "received_kb": round((counted.received - received) / 1000, 1),
            "azure_calls": asked.total() - github,
            "github_calls": github,
        }

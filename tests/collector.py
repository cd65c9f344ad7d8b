"""A collector of telemetry that speaks OTLP over HTTP, as Jaeger's or Grafana's do. For tests."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Collector:
    """What was sent to it, as it came."""

    endpoint: str
    bodies: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def spans(self) -> list[Span]:
        """All spans."""
        requests = (ExportTraceServiceRequest.FromString(body) for body in self._of("traces"))
        return [
            span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def metrics(self) -> set[str]:
        """The names of all metrics."""
        requests = (ExportMetricsServiceRequest.FromString(body) for body in self._of("metrics"))
        return {
            metric.name
            for request in requests
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    @property
    def lines(self) -> list[tuple[str, dict[str, str]]]:
        """All log lines with their attributes."""
        requests = (ExportLogsServiceRequest.FromString(body) for body in self._of("logs"))
        return [
            (record.body.string_value, said(record.attributes))
            for request in requests
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    def holds(self, text: str) -> bool:
        """Whether a text stands anywhere in what was sent."""
        return any(text.encode() in body for _, body in self.bodies)

    def _of(self, kind: str) -> list[bytes]:
        return [body for path, body in self.bodies if path == f"/v1/{kind}"]


def said(attributes: "Iterator[KeyValue] | list[KeyValue]") -> dict[str, str]:
    """Attributes as texts."""
    return {
        each.key: str(getattr(each.value, each.value.WhichOneof("value") or "string_value"))
        for each in attributes
    }


@contextmanager
def silent() -> Iterator[str]:
    """The address of a collector that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.bodies.append((self.path, body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    collector = Collector(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()

"""What is done with each span: it is told whose work it is, and requests are counted."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import SpanKind

from tuneops.telemetry import fields, metrics
from tuneops.telemetry.addresses import service_of


class Calls(SpanProcessor):
    """Reads the spans of the Azure SDK, of httpx2 and of requests, which tell of each request."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Whose work it is."""
        span.set_attributes(fields.current())

    def on_end(self, span: ReadableSpan) -> None:
        """Count a request that is over."""
        said = span.attributes or {}
        if span.kind is not SpanKind.CLIENT or "http.request.method" not in said:
            return
        service = service_of(_netloc(said), self._known)
        if not service:
            return
        method = str(said["http.request.method"])
        status = said.get("http.response.status_code", "none")
        told = {"service": service, "method": method, "status": str(status)}
        metrics.AZURE_CALLS.add(1, told)
        if throttled(service, status):
            metrics.AZURE_THROTTLED.add(1, {"service": service})


def throttled(service: str, status: object) -> bool:
    """Whether the service had too many requests; Storage says that in a way of its own."""
    if service in ("blob", "queue") and status == HTTPStatus.SERVICE_UNAVAILABLE:
        return True
    return status == HTTPStatus.TOO_MANY_REQUESTS


def _netloc(said: Mapping[str, Any]) -> str:
    """Host and port as in an address, where the usual port is left out."""
    host, port = str(said.get("server.address", "")), said.get("server.port")
    return host if port in (None, 80, 443) else f"{host}:{port}"

"""Exporters that send nothing secret: they go around others, and work where those do, aside."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Status

from tuneops.scrub import scrub
from tuneops.telemetry.addresses import netloc, service_of, shown

MAX_TEXT = 8000

_ADDRESSES = frozenset({"url.full", "http.url"})
_LEFT_OUT = frozenset(
    {"az.client_request_id", "http.target", "url.path", "url.query", "user_agent.original"}
)
_AZURE_SDK = "azure"
_INSTRUMENTED = "opentelemetry.instrumentation"


class Scrubber:
    """Takes secrets out of what is exported: those of the settings, and what looks like one."""

    def __init__(self, secrets: Iterable[str], known: Mapping[str, str]) -> None:
        self._secrets = sorted(set(secrets), key=len, reverse=True)
        self._known = known
        self._short = lru_cache(maxsize=4096)(self._scrubbed)

    def text(self, text: str) -> str:
        """A text without secrets, and of no more than a sensible length."""
        return self._short(text) if len(text) <= 200 else self._scrubbed(text)

    def attributes(self, given: Mapping[str, Any] | None, scope: str = "") -> dict[str, Any]:
        """Attributes without secrets; `scope` is the library that has set them."""
        kept = (item for item in (given or {}).items() if item[0] not in _LEFT_OUT)
        return {name: self._value(name, value, scope) for name, value in kept}

    def span(self, span: ReadableSpan) -> ReadableSpan:
        """A span without secrets; of a request to others its errors are not told: they name it."""
        scope = span.instrumentation_scope.name if span.instrumentation_scope else ""
        foreign = scope.startswith(_INSTRUMENTED) and not self._is_known(span.attributes)
        said = "" if foreign else span.status.description
        return ReadableSpan(
            name=self.text(span.name),
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=self.attributes(span.attributes, scope),
            events=[
                Event(self.text(each.name), self.attributes(each.attributes), each.timestamp)
                for each in (() if foreign else span.events)
            ],
            links=span.links,
            kind=span.kind,
            instrumentation_scope=span.instrumentation_scope,
            status=Status(span.status.status_code, self.text(said) if said else None),
            start_time=span.start_time,
            end_time=span.end_time,
        )

    def _value(self, name: str, value: Any, scope: str) -> Any:
        if isinstance(value, str):
            if name in _ADDRESSES:
                plain = scope.startswith(_AZURE_SDK) or self._is_known({name: value})
                value = shown(value, whole_path=plain)
            return self.text(value)
        if isinstance(value, Sequence) and not isinstance(value, bytes):
            return [self.text(each) if isinstance(each, str) else each for each in value]
        return value

    def _is_known(self, said: Mapping[str, Any] | None) -> bool:
        """Whether the request is to a service that TuneOps needs."""
        urls = (str(url) for name, url in (said or {}).items() if name in _ADDRESSES)
        return any(service_of(netloc(url), self._known) for url in urls)

    def _scrubbed(self, text: str) -> str:
        return scrub(text[: 2 * MAX_TEXT], self._secrets)[:MAX_TEXT]


class ScrubbedSpans(SpanExporter):
    """Sends spans by another exporter."""

    def __init__(self, inner: SpanExporter, scrubber: Scrubber) -> None:
        self._inner = inner
        self._scrubber = scrubber

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See `SpanExporter`."""
        return self._inner.export([self._scrubber.span(span) for span in spans])

    def shutdown(self) -> None:
        """See `SpanExporter`."""
        self._inner.shutdown()


class ScrubbedLogs(LogRecordExporter):
    """Sends log lines by another exporter."""

    def __init__(self, inner: LogRecordExporter, scrubber: Scrubber) -> None:
        self._inner = inner
        self._scrubber = scrubber

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """See `LogRecordExporter`."""
        for each in batch:
            record = each.log_record
            record.body = self._scrubber.text(str(record.body))
            record.attributes = self._scrubber.attributes(record.attributes)
        return self._inner.export(batch)

    def shutdown(self) -> None:
        """See `LogRecordExporter`."""
        self._inner.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """See `LogRecordExporter`."""
        return self._inner.force_flush(timeout_millis)

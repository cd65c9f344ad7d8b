"""OpenTelemetry's SDK with what sends telemetry away; loaded only where that is wanted.

Everything is sent aside, by threads of the SDK, from queues of bounded length: a collector that is
slow or dead costs what it would have got, and nothing else.
"""

import atexit
import logging
import os
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from threading import Thread

from azure.core.settings import settings as azure_settings
from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tuneops.telemetry import exporting
from tuneops.telemetry.calls import Calls
from tuneops.telemetry.exporting import Exporters
from tuneops.telemetry.sampling import Sampling
from tuneops.telemetry.scrubbing import ScrubbedLogs, ScrubbedSpans, Scrubber
from tuneops.version import VERSION

FAREWELL_SECONDS = 3
"""What is left is sent when the process ends, for no longer."""
OWN = ("tuneops", "handlers")
"""Whose lines are sent; of the Azure SDK its warnings, too."""

log = logging.getLogger(__name__)


def install(
    environment: Mapping[str, str], share: float, secrets: Iterable[str], known: Mapping[str, str]
) -> None:
    """Send traces, metrics and logs to all that the environment names.

    Raises:
        ValueError: an address can't be read.
    """
    if isinstance(trace.get_tracer_provider(), TracerProvider):
        log.warning(
            "OpenTelemetry was set up before TuneOps, which sends nothing then: set"
            " PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY to false"
        )
        return
    exporters, scrubber = exporting.chosen(environment), Scrubber(secrets, known)
    resource = Resource.create(_described(environment))
    tracing = _tracing(exporters, scrubber, resource, share, known)
    measuring = _measuring(exporters, resource)
    logging_ = _logging(exporters, scrubber, resource)
    _trace_requests()
    atexit.register(_farewell, (tracing, measuring, logging_))


def _tracing(
    exporters: Sequence[Exporters],
    scrubber: Scrubber,
    resource: Resource,
    share: float,
    known: Mapping[str, str],
) -> TracerProvider:
    provider = TracerProvider(Sampling(share), resource, shutdown_on_exit=False)
    provider.add_span_processor(Calls(known))
    for each in exporters:
        provider.add_span_processor(BatchSpanProcessor(ScrubbedSpans(each.spans, scrubber)))
    trace.set_tracer_provider(provider)
    return provider


def _measuring(exporters: Sequence[Exporters], resource: Resource) -> MeterProvider:
    readers = [PeriodicExportingMetricReader(each.metrics) for each in exporters]
    provider = MeterProvider(readers, resource, shutdown_on_exit=False)
    metrics.set_meter_provider(provider)
    return provider


def _logging(
    exporters: Sequence[Exporters], scrubber: Scrubber, resource: Resource
) -> LoggerProvider:
    provider = LoggerProvider(resource, shutdown_on_exit=False)
    for each in exporters:
        provider.add_log_record_processor(
            BatchLogRecordProcessor(ScrubbedLogs(each.logs, scrubber))
        )
    set_logger_provider(provider)
    handler = LoggingHandler(logging.INFO, provider)
    handler.addFilter(_is_wanted)
    logging.getLogger().addHandler(handler)
    return provider


def _is_wanted(record: logging.LogRecord) -> bool:
    """Whether a line is sent; those of other libraries may show the addresses of webhooks."""
    library = record.name.partition(".")[0]
    return library in OWN or (library == "azure" and record.levelno >= logging.WARNING)


def _trace_requests() -> None:
    """Have each request make a span, by whatever library it is sent; their own metrics are none."""
    azure_settings.tracing_enabled = True
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    for instrumentor in (HTTPX2ClientInstrumentor(), RequestsInstrumentor()):
        instrumentor.instrument(meter_provider=NoOpMeterProvider())


def _described(environment: Mapping[str, str]) -> dict[str, str]:
    """What sends all this: the app, and which of its processes."""
    host = environment.get("WEBSITE_INSTANCE_ID") or socket.gethostname()
    site = environment.get("WEBSITE_SITE_NAME", "tuneops")
    return {
        "service.name": environment.get("OTEL_SERVICE_NAME") or site,
        "service.version": VERSION,
        "service.instance.id": f"{host[:32]}-{os.getpid()}",
    }


def _farewell(providers: tuple[TracerProvider, MeterProvider, LoggerProvider]) -> None:
    """Send what is left; a dead collector keeps no process from ending."""
    threads = [Thread(target=each.shutdown, daemon=True) for each in providers]
    end = time.monotonic() + FAREWELL_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))

"""Whom telemetry is sent to: Application Insights, a collector by OTLP, or both."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace.export import SpanExporter

from tuneops.telemetry.starting import APPLICATION_INSIGHTS, OTLP


@dataclass(frozen=True)
class Exporters:
    """What sends each kind of telemetry to one receiver."""

    spans: SpanExporter
    metrics: MetricExporter
    logs: LogRecordExporter


def chosen(environment: Mapping[str, str]) -> list[Exporters]:
    """Those that the environment names.

    Raises:
        ValueError: one of the addresses can't be read.
    """
    makers: dict[str, Callable[[str], Exporters]] = {
        APPLICATION_INSIGHTS: _application_insights,
        OTLP: _otlp,
    }
    return [make(environment[name]) for name, make in makers.items() if environment.get(name)]


def _application_insights(connection_string: str) -> Exporters:
    """Azure Monitor's own exporters.

    An identity is taken from APPLICATIONINSIGHTS_AUTHENTICATION_STRING by themselves. They keep
    nothing on disk, and tell Microsoft nothing of themselves.
    """
    os.environ.setdefault("APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL", "true")
    from azure.monitor.opentelemetry.exporter import (
        AzureMonitorLogExporter,
        AzureMonitorMetricExporter,
        AzureMonitorTraceExporter,
    )

    options = {"connection_string": connection_string, "disable_offline_storage": True}
    return Exporters(
        AzureMonitorTraceExporter(**options),
        AzureMonitorMetricExporter(**options),
        AzureMonitorLogExporter(**options),
    )


def _otlp(_: str) -> Exporters:
    """OTLP as protobuf over HTTP; it reads OpenTelemetry's own variables of the environment."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return Exporters(OTLPSpanExporter(), OTLPMetricExporter(), OTLPLogExporter())

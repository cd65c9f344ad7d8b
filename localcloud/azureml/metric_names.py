"""The metrics that Azure Monitor has of online endpoints, with their units and dimensions.

https://learn.microsoft.com/azure/azure-monitor/reference/supported-metrics/
microsoft-machinelearningservices-workspaces-onlineendpoints-metrics
"""

from collections.abc import Callable
from dataclasses import dataclass

from localcloud.azureml.scored import Minute

Dimensions = tuple[str, ...]
DEPLOYMENT: Dimensions = ("deployment",)
STATUSES: Dimensions = ("deployment", "statusCode", "statusCodeClass", "modelStatusCode")


@dataclass(frozen=True)
class MetricName:
    """A metric; one that has no `measure` is known, and never measured here."""

    name: str
    label: str
    unit: str
    description: str
    dimensions: Dimensions = ()
    measure: Callable[[Minute], float] | None = None
    is_count: bool = False


def _percentile(percent: int) -> MetricName:
    return MetricName(
        f"RequestLatency_P{percent}",
        f"Request Latency P{percent}",
        "MilliSeconds",
        f"The time within which {percent}% of the requests were answered, averaged",
        DEPLOYMENT,
        lambda minute: minute.percentile_ms(percent),
    )


METRICS: tuple[MetricName, ...] = (
    MetricName(
        "RequestsPerMinute",
        "Requests Per Minute",
        "Count",
        "The requests that were sent to the endpoint within a minute",
        STATUSES,
        is_count=True,
    ),
    MetricName(
        "RequestLatency",
        "Request Latency",
        "MilliSeconds",
        "The time until a request was answered, on average",
        DEPLOYMENT,
        lambda minute: minute.average_ms,
    ),
    *(_percentile(percent) for percent in (50, 90, 95, 99)),
    MetricName("ConnectionsActive", "Connections Active", "Count", "Connections of clients"),
    MetricName(
        "NewConnectionsPerSecond",
        "New Connections Per Second",
        "CountPerSecond",
        "Connections that clients opened",
    ),
    MetricName("NetworkBytes", "Network Bytes", "BytesPerSecond", "The bytes that were served"),
    *(
        MetricName(
            f"DataCollection{kind}PerMinute",
            f"Data Collection {kind} Per Minute",
            "Count",
            f"Data collection: {kind.lower()} within a minute",
            (*DEPLOYMENT, *more, "type"),
        )
        for kind, more in (("Events", ()), ("Errors", ("reason",)))
    ),
)

"""What is counted and measured; the names are an interface that alerts and dashboards ask for."""

from opentelemetry import metrics

_METER = metrics.get_meter("tuneops")
_SECONDS_OF_A_LOOK = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600]
_SECONDS_OF_A_PHASE = [1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14400, 43200, 86400]

RECONCILE_LAG = _METER.create_histogram(
    "tuneops.reconcile.lag",
    "s",
    "From what happened, or was planned, until its project or source is looked at",
    explicit_bucket_boundaries_advisory=_SECONDS_OF_A_LOOK,
)
PHASE_DURATION = _METER.create_histogram(
    "tuneops.phase.duration",
    "s",
    "How long a release was in a phase, by what it went on to",
    explicit_bucket_boundaries_advisory=_SECONDS_OF_A_PHASE,
)
EVENTS = _METER.create_counter(
    "tuneops.events", description="What has called a function, by what came of it"
)
AZURE_CALLS = _METER.create_counter(
    "tuneops.azure.calls", description="Requests to Azure and GitHub, by service and status"
)
AZURE_THROTTLED = _METER.create_counter(
    "tuneops.azure.throttled", description="Requests that a service had too many of"
)
RELEASES_ENDED = _METER.create_counter(
    "tuneops.releases.ended", description="Releases that came to an end, by which"
)
QUEUE_POISON = _METER.create_gauge(
    "tuneops.queue.poison", description="Messages that were given up, by their queue"
)
DELIVERIES = _METER.create_counter(
    "tuneops.deliveries", description="Messages to people, by channel and what became of them"
)

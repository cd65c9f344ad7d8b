"""The daily timer: people are told what runs and what it costs; what is too old is forgotten."""

from datetime import UTC, datetime

from tuneops import ticks
from tuneops.events.reading import forget
from tuneops.queue import SummaryRequest
from tuneops.services import Services


def handle(services: Services) -> None:
    """Ask for each environment's summary by itself, and forget the events of long ago."""
    day = datetime.now(UTC).date()
    for source in services.settings.config_sources:
        services.queue.send(SummaryRequest(environment=source.environment, day=day))
    ticks.note(services.store, "summary", services.now())
    forget(services.state, day)

"""The daily timer: people are told what runs and what it costs."""

from datetime import UTC, datetime

from tuneops import ticks
from tuneops.queue import SummaryRequest
from tuneops.services import Services


def handle(services: Services) -> None:
    """Ask for each environment's summary by itself."""
    day = datetime.now(UTC).date()
    for source in services.settings.config_sources:
        services.queue.send(SummaryRequest(environment=source.environment, day=day))
    ticks.note(services.store, "summary", datetime.now(UTC))

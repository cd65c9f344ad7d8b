"""The timer: whatever event was lost, every source and every project are looked at again."""

from tuneops.queue import RepositoryRequest
from tuneops.services import Services


def handle(services: Services) -> None:
    """Ask for a full look."""
    for source in services.settings.config_sources:
        request = RepositoryRequest(environment=source.environment, all_projects=True)
        services.queue.send(request)

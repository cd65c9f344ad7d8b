"""The timer: whatever event was lost, the repository and every project are looked at again."""

from tuneops.queue import RepositoryRequest
from tuneops.services import Services


def handle(services: Services) -> None:
    """Ask for a full look."""
    services.queue.send(RepositoryRequest(all_projects=True))

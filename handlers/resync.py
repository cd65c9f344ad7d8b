"""The timer: whatever event was lost, the repository and all that follows from it is looked at."""

from tuneops.queue import ProjectsRequest, PullRequestsRequest, RepositoryRequest
from tuneops.services import Services


def handle(services: Services) -> None:
    """Ask for each of them by itself, so that none waits for another."""
    for request in (RepositoryRequest(), ProjectsRequest(), PullRequestsRequest()):
        services.queue.send(request)

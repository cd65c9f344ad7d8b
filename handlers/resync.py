"""The timer: whatever event was lost, every source and all that follows from it is looked at."""

from tuneops import ticks
from tuneops.events import given_up
from tuneops.queue import (
    MailboxesRequest,
    ProjectsRequest,
    PullRequestsRequest,
    RepositoryRequest,
    Request,
)
from tuneops.services import Services
from tuneops.storage_refusal import refusals_explained
from tuneops.telemetry import poison


@refusals_explained()
def handle(services: Services) -> None:
    """Ask for each of them by itself, so that none waits for another."""
    environments = [source.environment for source in services.settings.config_sources]
    requests: list[Request] = [RepositoryRequest(environment=each) for each in environments]
    requests.append(ProjectsRequest())
    requests += [PullRequestsRequest(environment=each) for each in environments]
    for request in requests:
        services.queue.send(request)
    services.deliveries.send(MailboxesRequest())
    poison.measure(services)
    given_up.settle(services)
    ticks.note(services.store, "resync", services.now())

"""The timer: each workspace is looked through for what belongs to nothing."""

from tuneops import ticks
from tuneops.queue import SweepRequest
from tuneops.services import Services
from tuneops.sweep.workspaces import workspaces


def handle(services: Services) -> None:
    """Ask for a sweep of each workspace, which environments may share."""
    for environment in workspaces(services):
        services.queue.send(SweepRequest(environment=environment))
    ticks.note(services.store, "sweep", services.now())

"""A job of the workspace changed its state: if it is ours, its project is looked at."""

import logging

from tuneops import documents, names
from tuneops.desired import Desired
from tuneops.previews.keeping import read_register
from tuneops.queue import ProjectRequest
from tuneops.services import Services
from tuneops.storage_refusal import refusals_explained

TYPES = frozenset(
    {
        "Microsoft.MachineLearningServices.RunCompleted",
        "Microsoft.MachineLearningServices.RunStatusChanged",
    }
)

log = logging.getLogger(__name__)


@refusals_explained()
def handle(event_type: str, data: object, services: Services) -> str | None:
    """The project that was put on the queue, or None.

    The event is a hint: what became of the job is read from the workspace. Steps of a pipeline
    raise events of their own, whose run ids are not names of ours.
    """
    run_id = data.get("runId") if isinstance(data, dict) else None
    project = names.project_of_job(run_id) if isinstance(run_id, str) else None
    if event_type not in TYPES or project is None:
        log.info("ignored event %r of run %r", event_type, str(run_id)[:300])
        return None
    previews = _previews(project, services)
    for preview in previews:
        services.queue.send(ProjectRequest(project=preview))
    if services.store.read(documents.desired(project), Desired) is None:
        log.info("run %r is of %s", run_id, previews or "no project")
        return None
    services.queue.send(ProjectRequest(project=project))
    return project


def _previews(project: str, services: Services) -> list[str]:
    """The previews of the project, which share its jobs."""
    register = read_register(services.store, names.environment_of(project))
    return register.of_project(project)

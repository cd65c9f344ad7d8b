"""A job of the workspace changed its state: if it is ours, its project is looked at."""

from tuneops import documents, names
from tuneops.events.taking import Weighed, take
from tuneops.previews.reading import read_register
from tuneops.queue import ProjectRequest
from tuneops.services import Services
from tuneops.storage_refusal import refusals_explained

COMPLETED = "Microsoft.MachineLearningServices.RunCompleted"
CHANGED = "Microsoft.MachineLearningServices.RunStatusChanged"
TYPES = frozenset({COMPLETED, CHANGED})
UNDER_WAY = frozenset(
    {"NotStarted", "Queued", "Starting", "Provisioning", "Preparing", "Running", "Finalizing"}
)
"""A job in these goes on by itself, and is looked at in its turn."""


@refusals_explained()
def handle(identifier: str, event_type: str, data: object, services: Services) -> list[str]:
    """The projects that were put on the queue; `identifier` is Event Grid's of the event.

    The event is a hint: what became of the job is read from the workspace. Steps of a pipeline
    raise events of their own, whose run ids are not names of ours.
    """
    weighed = _weigh(event_type, data, services)
    take(weighed, identifier, "workspace", event_type, services)
    return weighed.projects


def _weigh(event_type: str, data: object, services: Services) -> Weighed:
    run_id = data.get("runId") if isinstance(data, dict) else None
    if event_type not in TYPES or not isinstance(run_id, str):
        return Weighed("ignored", "it is not about a job's state")
    status = str(data.get("runStatus")) if isinstance(data, dict) else ""
    if status in UNDER_WAY:
        return Weighed("ignored", f"the job is {status}: its end is what matters", run_id)
    if event_type == CHANGED and status == "Completed":
        return Weighed("ignored", "another event tells that the job is completed", run_id)
    project = names.project_of_job(run_id)
    if project is None:
        return Weighed("ignored", "the job is none of ours, or a step of one", run_id)
    projects = _previews(project, services)
    if services.prompt_store.has(documents.desired(project)):
        projects.append(project)
    if not projects:
        return Weighed("ignored", f"project {project} was never heard of", run_id)
    requests = tuple(ProjectRequest(project=each) for each in projects)
    return Weighed("taken", f"it is a job of {', '.join(projects)}", run_id, requests)


def _previews(project: str, services: Services) -> list[str]:
    """The previews of the project, which share its jobs."""
    register = read_register(services.prompt_store, names.environment_of(project))
    return register.of_project(project)

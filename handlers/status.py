"""The status of all projects, as JSON."""

from http import HTTPStatus

from tuneops.services import Services
from tuneops.status import read_status


def handle(project: str | None, services: Services) -> tuple[HTTPStatus, str]:
    """The answer to a question for one project, or for all of them."""
    status = read_status(services, project)
    if project is not None and not status.projects:
        return HTTPStatus.NOT_FOUND, '{"error": "there is no project of that name"}'
    return HTTPStatus.OK, status.model_dump_json()

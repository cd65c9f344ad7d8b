"""The status of all projects, as JSON."""

import json
import re
from http import HTTPStatus

from tuneops.names import PROJECT_KEY
from tuneops.services import Services
from tuneops.status import read_status
from tuneops.storage_refusal import StorageRefusedError, refusals_explained

PAGE = 200
NONE = (HTTPStatus.NOT_FOUND, '{"error": "there is no project of that name"}')


def handle(project: str | None, services: Services, after: str = "") -> tuple[HTTPStatus, str]:
    """The answer to a question for one project, or for the first of those after a name."""
    if project is not None and not re.fullmatch(PROJECT_KEY, project):
        return NONE
    try:
        with refusals_explained():
            status = read_status(services, project, after, PAGE)
    except StorageRefusedError as error:
        return HTTPStatus.SERVICE_UNAVAILABLE, json.dumps({"error": str(error.message)})
    if project is not None and not status.projects:
        return NONE
    return HTTPStatus.OK, status.model_dump_json()

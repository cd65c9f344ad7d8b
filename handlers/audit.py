"""Who ordered what, as JSON."""

import re
from datetime import UTC, datetime
from http import HTTPStatus

from handlers.rollback import said
from tuneops.audit.reading import MONTH, read_audit
from tuneops.names import PROJECT_KEY
from tuneops.services import Services


def handle(project: str | None, month: str | None, services: Services) -> tuple[HTTPStatus, str]:
    """The answer to a question for the orders of a month, for one project or for all."""
    if project is not None and not re.fullmatch(PROJECT_KEY, project):
        return said(HTTPStatus.NOT_FOUND, f"there is no project {project[:80]!r}")
    if month is not None and not re.fullmatch(MONTH, month):
        return said(HTTPStatus.BAD_REQUEST, "month: is a year and a month, as 2026-11")
    asked = month or f"{datetime.now(UTC):%Y-%m}"
    return HTTPStatus.OK, read_audit(services.store, project, asked).model_dump_json()

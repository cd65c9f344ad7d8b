"""What is broken, and how to mend it, as JSON."""

import os
from collections.abc import Callable
from http import HTTPStatus

from handlers.rollback import said
from tuneops.doctor.checks import AREAS, IN_THE_COMMAND
from tuneops.doctor.examination import examine
from tuneops.doctor.finding import Report
from tuneops.doctor.judging.settings import judge_secrets, judge_valid
from tuneops.doctor.judging.site import Site
from tuneops.services import Services
from tuneops.version import VERSION


def handle(
    only: str | None, asked_at: str, get_services: Callable[[], Services]
) -> tuple[HTTPStatus, str]:
    """The answer to a question for one area, or for all; settings that are wrong are one too.

    `asked_at` is the address of the request, by which the app knows where it is reached.
    """
    areas = [area for area in AREAS if area not in IN_THE_COMMAND]
    if only is not None and only not in areas:
        return said(HTTPStatus.BAD_REQUEST, f"only: is one of {', '.join(areas)}")
    try:
        services = get_services()
    except ValueError as error:
        return HTTPStatus.OK, _unusable(error).model_dump_json()
    report = examine(services, os.environ, asked_at, only or "")
    return HTTPStatus.OK, report.model_dump_json()


def _unusable(error: ValueError) -> Report:
    """What is found where the settings can't be used: nothing else can be looked at."""
    site = Site.of(os.environ)
    found = (judge_valid(error, site), *judge_secrets(os.environ, site))
    return Report(version=VERSION, findings=found)

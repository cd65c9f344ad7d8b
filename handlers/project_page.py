"""The pages of a project and of its releases."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus

from handlers.page import shown
from tuneops import names
from tuneops.page import reading
from tuneops.page.actions import read_actions
from tuneops.page.answer import Answer
from tuneops.page.asked import Asked
from tuneops.page.project_view import project_view
from tuneops.page.release_list import listing
from tuneops.page.release_view import release_view
from tuneops.page.visit import Visit
from tuneops.services import Services
from tuneops.status import read_named
from tuneops.store import UnreadableError

_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


def handle(asked: Asked, services: Services) -> Answer:
    """A project with its releases, ``?before=N`` those before that one."""
    return shown(asked, services, lambda visit: _project(visit, services))


def handle_release(asked: Asked, services: Services) -> Answer:
    """One release of a project."""
    return shown(asked, services, lambda visit: _release(visit, services))


def _project(visit: Visit, services: Services) -> Answer:
    name, now = _name(visit.asked.parameters), datetime.now(UTC)
    before = visit.asked.query.get("before", "")
    status = read_named(services, name) if name else None
    if status is None or (before and not _NUMBER.fullmatch(before)):
        return _missing(visit)
    try:
        known = reading.surroundings(services, name)
        views = [
            release_view(each, known.of(each), now)
            for each in reading.shown_releases(services, known.project)
        ]
        actions = read_actions(name, visit.visitor, visit.asked.query, services, now)
    except UnreadableError as error:
        return _unreadable(visit, error)
    releases = listing(known.listed, int(before) if before else None, now)
    view = project_view(status, known.project, views, releases, now)
    return visit.html("project.html", view=view, actions=actions)


def _release(visit: Visit, services: Services) -> Answer:
    name, number = _name(visit.asked.parameters), visit.asked.parameters.get("number", "")
    if not name or not _NUMBER.fullmatch(number):
        return _missing(visit)
    try:
        found = reading.release(services, name, int(number))
        if found is None:
            return _missing(visit)
        around = reading.surroundings(services, name).of(found, whole=True)
    except UnreadableError as error:
        return _unreadable(visit, error)
    return visit.html("release.html", view=release_view(found, around, datetime.now(UTC)))


def _name(parameters: Mapping[str, str]) -> str:
    """The project that the route names, empty if no project can be called that."""
    name = parameters.get("project", "")
    return name if re.fullmatch(names.PROJECT_KEY, name) else ""


def _missing(visit: Visit) -> Answer:
    text = "There is no project or release of that name."
    return visit.problem("Not found", text, HTTPStatus.NOT_FOUND)


def _unreadable(visit: Visit, error: UnreadableError) -> Answer:
    return visit.problem("Unreadable", str(error), HTTPStatus.INTERNAL_SERVER_ERROR)

"""What people read of projects: their names, their releases, metrics and logs, as JSON."""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus

from pydantic import BaseModel

from handlers.rollback import said
from tuneops.azureml.errors import RefusedError, UnavailableError
from tuneops.notify.mailbox import outcomes
from tuneops.notify.post import read_mailboxes
from tuneops.reading.asked import NotThereError, release_of
from tuneops.reading.logs import Of, read_log
from tuneops.reading.metrics import read_metrics
from tuneops.reading.positions import START, BadPositionError
from tuneops.reading.releases import MAX_PAGE, read_names, read_page
from tuneops.services import Services
from tuneops.status import release_status
from tuneops.store import UnreadableError

PAGE = 20


class BadRequestError(Exception):
    """A parameter is no such value; the message says which it may have."""


def handle_names(services: Services) -> tuple[HTTPStatus, str]:
    """The names of all projects."""
    return _answered(lambda: read_names(services))


def handle_page(
    project: str, params: Mapping[str, str], services: Services
) -> tuple[HTTPStatus, str]:
    """Releases, the newest first: at most ``limit`` of those below the number ``before``."""

    def read() -> BaseModel:
        limit = min(_number(params, "limit") or PAGE, MAX_PAGE)
        return read_page(services, project, limit, _number(params, "before"))

    return _answered(read)


def handle_release(project: str, number: str, services: Services) -> tuple[HTTPStatus, str]:
    """All of one release, or of the newest one: ``latest``."""

    def read() -> BaseModel:
        release = release_of(services, project, number)
        told = outcomes(read_mailboxes(services.store, project).values())
        return release_status(release, told)

    return _answered(read)


def handle_metrics(project: str, number: str, services: Services) -> tuple[HTTPStatus, str]:
    """What a release's training has logged, with its curves."""
    return _answered(lambda: read_metrics(services, release_of(services, project, number)))


def handle_log(
    project: str, number: str, params: Mapping[str, str], services: Services
) -> tuple[HTTPStatus, str]:
    """The next piece of a log: ``of`` what, ``after`` which position."""

    def read() -> BaseModel:
        of = params.get("of", Of.JOB)
        if of not in list(Of):
            raise BadRequestError(f"of: is one of {', '.join(Of)}")
        release = release_of(services, project, number)
        return read_log(services, release, Of(of), params.get("after", START))

    return _answered(read)


def _number(params: Mapping[str, str], name: str) -> int | None:
    given = params.get(name)
    if given is None:
        return None
    if not re.fullmatch("[1-9][0-9]{0,5}", given):
        raise BadRequestError(f"{name}: is a whole number from 1")
    return int(given)


def _answered(read: Callable[[], BaseModel]) -> tuple[HTTPStatus, str]:
    """What was read, or why it can't be, with the status that says how it went."""
    try:
        return HTTPStatus.OK, read().model_dump_json()
    except (BadRequestError, BadPositionError) as error:
        return said(HTTPStatus.BAD_REQUEST, str(error))
    except NotThereError as error:
        return said(HTTPStatus.NOT_FOUND, str(error))
    except (UnreadableError, RefusedError) as error:
        return said(HTTPStatus.CONFLICT, str(error))
    except UnavailableError as error:
        return said(HTTPStatus.BAD_GATEWAY, str(error))

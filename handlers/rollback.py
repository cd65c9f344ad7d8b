"""An order for a project: go back, try again, approve what waits, suspend or resume."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import TypeVar

from pydantic import ValidationError

from tuneops.approval import ApprovalOrder
from tuneops.audit.entry import Caller, clean
from tuneops.going_back import RefusedError
from tuneops.ordering import Desk
from tuneops.page.access import DeniedError, visitor
from tuneops.page.asked import Asked
from tuneops.page.way import way_in
from tuneops.rollback import Answer, NotProposedError, Order, RollbackOrder, UnknownProjectError
from tuneops.services import Services
from tuneops.store import UnreadableError

MAX_BODY_BYTES = 4 * 1024

log = logging.getLogger(__name__)

Kind = TypeVar("Kind", bound=Order)


def handle(
    project: str, headers: Mapping[str, str], body: bytes, services: Services
) -> tuple[HTTPStatus, str]:
    """The answer to an order to go back."""
    return _taken(RollbackOrder, Desk.go_back, project, headers, body, services)


def handle_retry(
    project: str, headers: Mapping[str, str], body: bytes, services: Services
) -> tuple[HTTPStatus, str]:
    """The answer to an order to try again."""
    return _taken(Order, Desk.retry, project, headers, body, services)


def handle_approval(
    project: str, headers: Mapping[str, str], body: bytes, services: Services
) -> tuple[HTTPStatus, str]:
    """The answer to what somebody says to a release that waits for approval."""
    return _taken(ApprovalOrder, Desk.approve, project, headers, body, services)


def handle_suspend(
    project: str, headers: Mapping[str, str], body: bytes, services: Services
) -> tuple[HTTPStatus, str]:
    """The answer to an order to have everything stay as it is."""
    return _taken(Order, Desk.suspend, project, headers, body, services)


def handle_resume(
    project: str, headers: Mapping[str, str], body: bytes, services: Services
) -> tuple[HTTPStatus, str]:
    """The answer to an order to go on."""
    return _taken(Order, Desk.resume, project, headers, body, services)


def _taken(
    kind: type[Kind],
    give: Callable[[Desk, Kind], Answer],
    project: str,
    headers: Mapping[str, str],
    body: bytes,
    services: Services,
) -> tuple[HTTPStatus, str]:
    def do(order: Kind, caller: Caller) -> Answer:
        return give(Desk.of(project, caller, services, services.now()), order)

    return answered(kind, headers, body, do)


def answered(
    kind: type[Kind],
    headers: Mapping[str, str],
    body: bytes,
    do: Callable[[Kind, Caller], Answer],
) -> tuple[HTTPStatus, str]:
    """What the order leads to, with the status that says how it went."""
    if len(body) > MAX_BODY_BYTES:
        return _refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MAX_BODY_BYTES} bytes")
    try:
        order = kind.model_validate_json(body or b"{}")
        if name := _signed_in(headers):
            order = kind.model_validate({**order.model_dump(), "by": name})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(map(str, first["loc"])) or "body"
        return _refused(HTTPStatus.BAD_REQUEST, f"{field}: {first['msg']}")
    caller = Caller(order.by, "entra" if name else "key", "api")
    try:
        return HTTPStatus.OK, do(order, caller).model_dump_json()
    except UnknownProjectError as error:
        return _refused(HTTPStatus.NOT_FOUND, str(error))
    except (RefusedError, UnreadableError) as error:
        return said(HTTPStatus.CONFLICT, str(error))
    except NotProposedError as error:
        return said(HTTPStatus.BAD_GATEWAY, str(error), error.commands)


def _refused(status: HTTPStatus, text: str) -> tuple[HTTPStatus, str]:
    """No order, or none of a project: no audit has room for it, so the log tells of it."""
    log.warning("an order is refused (%d): %s", status, clean(text))
    return said(status, text)


def _signed_in(headers: Mapping[str, str]) -> str:
    """Who has signed in, where the app asks for that: it counts more than what the body says."""
    if way_in(os.environ) != "entra":
        return ""
    known = {name.lower(): value for name, value in headers.items()}
    try:
        return visitor(Asked(url="", headers=known), "entra").name
    except DeniedError:
        return ""


def said(status: HTTPStatus, text: str, commands: Sequence[str] = ()) -> tuple[HTTPStatus, str]:
    return status, Answer(text=text, commands=list(commands)).model_dump_json()

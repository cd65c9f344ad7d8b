"""An order for a project: go back to an earlier release, try again, or approve what waits."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TypeVar

from pydantic import ValidationError

from tuneops import approval, rollback
from tuneops.approval import ApprovalOrder
from tuneops.going_back import RefusedError
from tuneops.names import environment_of, is_preview
from tuneops.rollback import Answer, NotProposedError, Order, RollbackOrder, UnknownProjectError
from tuneops.services import NoSourceError, Services
from tuneops.store import UnreadableError

MAX_BODY_BYTES = 4 * 1024
CALLER = "x-ms-client-principal-name"
"""Who has signed in, where the app asks for that; it counts more than what the body says."""

log = logging.getLogger(__name__)

Kind = TypeVar("Kind", bound=Order)


def handle(
    project: str, headers: Mapping[str, str], body: bytes, services: Services
) -> tuple[HTTPStatus, str]:
    """The answer to an order to go back."""
    return answered(
        RollbackOrder,
        headers,
        body,
        lambda order: _go_back(project, order, _services_of(project, services)),
    )


def handle_retry(
    project: str, headers: Mapping[str, str], body: bytes, services: Services
) -> tuple[HTTPStatus, str]:
    """The answer to an order to try again."""
    return answered(
        Order,
        headers,
        body,
        lambda order: rollback.retry(
            project, order, _services_of(project, services), datetime.now(UTC)
        ),
    )


def handle_approval(
    project: str, headers: Mapping[str, str], body: bytes, services: Services
) -> tuple[HTTPStatus, str]:
    """The answer to what somebody says to a release that waits for approval."""
    return answered(
        ApprovalOrder,
        headers,
        body,
        lambda order: approval.by_key(
            project, order, _services_of(project, services), datetime.now(UTC)
        ),
    )


def _go_back(project: str, order: RollbackOrder, services: Services) -> Answer:
    log.info("project %r: %s, release %s, by %r", project, order.action, order.to, order.by)
    if is_preview(project):
        raise RefusedError(f"{project[:80]} is a preview: push to its pull request, or close it")
    if order.action == "pin":
        return rollback.pin(project, order, services, datetime.now(UTC))
    if order.action == "unpin":
        return rollback.unpin(project, order, services)
    return rollback.propose(project, order, services)


def _services_of(project: str, services: Services) -> Services:
    try:
        return services.of(environment_of(project))
    except NoSourceError as error:
        raise UnknownProjectError(f"there is no project {project[:80]!r} in any source") from error


def answered(
    kind: type[Kind], headers: Mapping[str, str], body: bytes, do: Callable[[Kind], Answer]
) -> tuple[HTTPStatus, str]:
    """What the order leads to, with the status that says how it went."""
    if len(body) > MAX_BODY_BYTES:
        return said(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MAX_BODY_BYTES} bytes")
    try:
        order = kind.model_validate_json(body or b"{}")
        caller = {name.lower(): value for name, value in headers.items()}.get(CALLER)
        if caller:
            order = kind.model_validate({**order.model_dump(), "by": caller})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(map(str, first["loc"])) or "body"
        return said(HTTPStatus.BAD_REQUEST, f"{field}: {first['msg']}")
    try:
        return HTTPStatus.OK, do(order).model_dump_json()
    except UnknownProjectError as error:
        return said(HTTPStatus.NOT_FOUND, str(error))
    except (RefusedError, UnreadableError) as error:
        return said(HTTPStatus.CONFLICT, str(error))
    except NotProposedError as error:
        return said(HTTPStatus.BAD_GATEWAY, str(error), error.commands)


def said(status: HTTPStatus, text: str, commands: Sequence[str] = ()) -> tuple[HTTPStatus, str]:
    return status, Answer(text=text, commands=list(commands)).model_dump_json()

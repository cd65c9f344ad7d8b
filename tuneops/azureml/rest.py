"""Azure Resource Manager's REST API, for what the SDK leaves out."""

from typing import Any, TypeVar

import httpx2
from pydantic import BaseModel, TypeAdapter, ValidationError

from tuneops.azureml.errors import UnavailableError, azure_errors, of_status
from tuneops.azureml.transport import sent
from tuneops.azureml.workspace import Workspace
from tuneops.permissions.role import Role
from tuneops.permissions.roles import OPERATOR

TIMEOUT_SECONDS = 20
MAX_BYTES = 8 * 1024 * 1024
NOT_FOUND = 404

T = TypeVar("T")


class _Error(BaseModel):
    code: str = ""
    message: str = ""
    error: "_Error | None" = None


def ask(
    workspace: Workspace,
    what: str,
    method: str,
    url: str,
    body: dict[str, Any] | None = None,
    *,
    missing: bool = False,
    role: Role = OPERATOR,
) -> httpx2.Response:
    """Azure's answer: a success, or with `missing` also that there is no such thing.

    `what` is asked for, in words; `role` is missing if Azure does not say which.

    Raises:
        MissingRoleError: the identity may not do it.
        RefusedError: Azure does not accept it.
        UnavailableError: it can't be done now.
    """
    with azure_errors(what):
        headers = workspace.authorization()
    try:
        answer = workspace.http.request(
            method, url, headers=headers, json=body, timeout=TIMEOUT_SECONDS
        )
    except httpx2.HTTPError as error:
        raise UnavailableError(f"{what}: no answer ({type(error).__name__})") from error
    finally:
        sent(method, url)
    if answer.is_success or (missing and answer.status_code == NOT_FOUND):
        return answer
    raise of_status(what, answer.status_code, _said(answer), answer.headers, role)


def read(kind: type[T], answer: httpx2.Response, what: str) -> T:
    """What the answer says.

    Raises:
        UnavailableError: it is too long, or of another kind.
    """
    if len(answer.content) > MAX_BYTES:
        raise UnavailableError(f"{what}: the answer is too long")
    try:
        return TypeAdapter(kind).validate_json(answer.content)
    except ValidationError as error:
        raise UnavailableError(f"{what}: Azure's answer can't be read") from error


def _said(answer: httpx2.Response) -> str:
    try:
        given = _Error.model_validate_json(answer.content)
    except ValidationError:
        return f"status {answer.status_code}"
    inner = given.error or given
    return inner.message or inner.code or f"status {answer.status_code}"

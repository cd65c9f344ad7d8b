"""Resources of a workspace as Azure Resource Manager has them, to the last setting.

The SDK's objects leave some settings out. Here a resource is what a GET gives, so that a PUT of the
same can bring it back. Whatever takes long is begun only.
"""

from typing import Any, TypeVar

import httpx2
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from tuneops.azureml.errors import UnavailableError, azure_errors, of_status
from tuneops.azureml.workspace import Workspace

API_VERSION = "2024-04-01"
TIMEOUT_SECONDS = 20
MAX_PAGES = 20
_GONE = 404

Json = dict[str, Any]
T = TypeVar("T")


class _Page(BaseModel):
    value: list[Json] = []
    next_link: str | None = Field(None, alias="nextLink")


def get(workspace: Workspace, path: str) -> Json | None:
    """The resource with this ARM id, or None.

    Raises:
        RefusedError, UnavailableError: it can't be read.
    """
    answer = _ask(workspace, "GET", _url(workspace, path))
    return None if answer is None else _read(dict[str, Any], answer, path)


def listed(workspace: Workspace, path: str) -> list[Json]:
    """The resources of a list; none when what they lie in is not there.

    Raises:
        RefusedError, UnavailableError: they can't all be read.
    """
    found: list[Json] = []
    url = _url(workspace, path)
    for _ in range(MAX_PAGES):
        answer = _ask(workspace, "GET", url)
        page = _Page() if answer is None else _read(_Page, answer, path)
        found += page.value
        url = page.next_link or ""
        if not url.startswith(f"{workspace.resource_manager}/"):
            return found
    raise UnavailableError(f"{_short(path)} has too many pages")


def begin_put(workspace: Workspace, path: str, body: Json) -> None:
    """Begin to make the resource be so.

    Raises:
        RefusedError, UnavailableError: Azure does not take it.
    """
    _ask(workspace, "PUT", _url(workspace, path), body)


def begin_delete(workspace: Workspace, path: str) -> None:
    """Begin to delete the resource; one that is not there is well.

    Raises:
        RefusedError, UnavailableError: Azure does not do it.
    """
    machines = "&underlyingResourceAction=Delete" if "/computes/" in path else ""
    _ask(workspace, "DELETE", _url(workspace, path) + machines)


def _url(workspace: Workspace, path: str) -> str:
    return f"{workspace.resource_manager}{path}?api-version={API_VERSION}"


def _ask(
    workspace: Workspace, method: str, url: str, body: Json | None = None
) -> httpx2.Response | None:
    what = f"{method} {_short(url.partition('?')[0])}"
    with azure_errors(what):
        headers = workspace.authorization()
    try:
        answer = httpx2.request(method, url, headers=headers, json=body, timeout=TIMEOUT_SECONDS)
    except httpx2.HTTPError as error:
        raise UnavailableError(f"{what}: no answer ({type(error).__name__})") from error
    if answer.status_code == _GONE and method != "PUT":
        return None
    if not answer.is_success:
        raise of_status(what, answer.status_code, _said(answer), answer.headers)
    return answer


def _read(kind: type[T], answer: httpx2.Response, path: str) -> T:
    try:
        return TypeAdapter(kind).validate_json(answer.content)
    except ValidationError as error:
        raise UnavailableError(f"{_short(path)}: Azure's answer can't be read") from error


def _said(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"


def _short(path: str) -> str:
    """What people call it: the part behind the workspace."""
    return path.partition("/workspaces/")[2].partition("/")[2] or path

"""Resources of a workspace as Azure Resource Manager has them, to the last setting.

The SDK's objects leave some settings out. Here a resource is what a GET gives, so that a PUT of the
same can bring it back. Whatever takes long is begun only.
"""

from typing import Any

import httpx2
from pydantic import BaseModel, Field

from tuneops.azureml import rest
from tuneops.azureml.errors import UnavailableError
from tuneops.azureml.workspace import Workspace

API_VERSION = "2024-04-01"
MAX_PAGES = 20

Json = dict[str, Any]


class _Page(BaseModel):
    value: list[Json] = []
    next_link: str | None = Field(None, alias="nextLink")


def get(workspace: Workspace, path: str) -> Json | None:
    """The resource with this ARM id, or None.

    Raises:
        RefusedError, UnavailableError: it can't be read.
    """
    answer = _ask(workspace, "GET", _url(workspace, path))
    return None if answer is None else rest.read(dict[str, Any], answer, _short(path))


def listed(workspace: Workspace, path: str) -> list[Json]:
    """The resources of a list; none when what they lie in is not there.

    Raises:
        RefusedError, UnavailableError: they can't all be read.
    """
    found: list[Json] = []
    url = _url(workspace, path)
    for _ in range(MAX_PAGES):
        answer = _ask(workspace, "GET", url)
        page = _Page() if answer is None else rest.read(_Page, answer, _short(path))
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
    """Azure's answer; None when there is no such thing."""
    what = f"{method} {_short(url.partition('?')[0])}"
    answer = rest.ask(workspace, what, method, url, body, missing=method != "PUT")
    return answer if answer.is_success else None


def _short(path: str) -> str:
    """What people call it: the part behind the workspace."""
    return path.partition("/workspaces/")[2].partition("/")[2] or path

"""What stands in a workspace, by one query to Azure Resource Graph.

It lists endpoints and deployments as resources, a thousand to a page, some seconds after
they changed: https://learn.microsoft.com/azure/governance/resource-graph/reference/supported-tables-resources
"""

from collections.abc import Iterator
from typing import Any

import httpx2
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tuneops.azureml.errors import (
    MissingRoleError,
    RefusedError,
    UnavailableError,
    asked_pause,
    azure_errors,
)
from tuneops.azureml.workspace import Workspace
from tuneops.permissions.explaining import explained, lacks
from tuneops.scrub import scrub

PATH = "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01"
TIMEOUT_SECONDS = 20
PAGE_ROWS = 1000
MAX_PAGES = 50
MAX_SHOWN = 300
_THROTTLED = 429
ENDPOINTS = ("/onlineendpoints", "/onlineendpoints/deployments")
"""Endpoints and what is deployed behind them."""

_READ = "Microsoft.MachineLearningServices/workspaces/read"
_KIND = "microsoft.machinelearningservices/workspaces"


class Row(BaseModel):
    """A resource of Azure; `properties` are those that ARM shows."""

    model_config = ConfigDict(frozen=True)

    id: str
    tags: dict[str, str] | None = None
    sku: Any = None
    identity: Any = None
    properties: dict[str, Any] | None = None


class _Page(BaseModel):
    data: list[Row] = Field(max_length=PAGE_ROWS)
    truncated: str = Field("false", alias="resultTruncated")
    skip_token: str | None = Field(None, alias="$skipToken")


def rows_of(workspace: Workspace, kinds: tuple[str, ...]) -> tuple[Row, ...]:
    """The resources of these kinds in the workspace, and the workspace itself.

    Raises:
        RefusedError: Resource Graph does not answer so that it can be understood.
        MissingRoleError: it does not show the workspace to TuneOps's identity.
        UnavailableError: it can't be asked now.
    """
    found = tuple(_rows(workspace, kinds))
    if workspace.id.lower() not in {row.id.lower() for row in found}:
        raise MissingRoleError(
            f"Resource Graph does not show the workspace: {lacks(_READ, workspace.id)}"
        )
    return found


def _rows(workspace: Workspace, kinds: tuple[str, ...]) -> Iterator[Row]:
    token: str | None = None
    for _ in range(MAX_PAGES):
        page = _page(workspace, kinds, token)
        yield from page.data
        token = page.skip_token
        if not token:
            if page.truncated.lower() == "true":
                raise RefusedError("Resource Graph leaves out resources of the workspace")
            return
    raise RefusedError(f"the workspace has more than {MAX_PAGES * PAGE_ROWS:,} resources")


def _page(workspace: Workspace, kinds: tuple[str, ...], token: str | None) -> _Page:
    options: dict[str, Any] = {"resultFormat": "objectArray", "$top": PAGE_ROWS}
    if token:
        options["$skipToken"] = token
    body = {
        "subscriptions": [workspace.id.split("/")[2]],
        "query": _query(workspace.id, kinds),
        "options": options,
    }
    with azure_errors("Resource Graph"):
        headers = workspace.authorization()
    try:
        answer = workspace.http.post(
            f"{workspace.resource_manager}{PATH}",
            headers=headers,
            json=body,
            timeout=TIMEOUT_SECONDS,
        )
    except httpx2.HTTPError as error:
        kind = type(error).__name__
        raise UnavailableError(f"Resource Graph does not answer ({kind})") from error
    if not answer.is_success:
        raise _error(answer)
    try:
        return _Page.model_validate_json(answer.content)
    except ValidationError as error:
        raise RefusedError("Resource Graph answers in a way that is not known") from error


def _query(workspace_id: str, kinds: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{_KIND}{kind}'" for kind in ("", *kinds))
    prefix = workspace_id.replace("\\", "\\\\").replace("'", "\\'")
    return (
        f"resources | where type in~ ({listed}) | where id startswith '{prefix}'"
        " | project id, tags, sku, identity, properties | order by id asc"
    )


def _error(answer: httpx2.Response) -> Exception:
    """What the answer means, in terms of what can be done about it."""
    said = scrub(" ".join(answer.text.split()))[:MAX_SHOWN]
    message = f"Resource Graph answers with status {answer.status_code}: {said}"
    if answer.status_code in (401, 403):
        return MissingRoleError(explained(message))
    if answer.status_code == _THROTTLED or answer.status_code >= 500:
        return UnavailableError(message, asked_pause(answer.headers))
    return RefusedError(message)

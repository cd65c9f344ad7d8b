"""All endpoints and deployments of a workspace at once, by Azure Resource Graph.

It lists both as resources, a thousand to a page, some seconds after they changed:
https://learn.microsoft.com/azure/governance/resource-graph/reference/supported-tables-resources
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import httpx2
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tuneops import names
from tuneops.azureml import roles
from tuneops.azureml.errors import (
    MissingRoleError,
    RefusedError,
    UnavailableError,
    asked_pause,
    azure_errors,
)
from tuneops.azureml.workspace import Workspace
from tuneops.scrub import scrub

PATH = "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01"
TIMEOUT_SECONDS = 20
PAGE_ROWS = 1000
MAX_PAGES = 50
MAX_SHOWN = 300
_THROTTLED = 429
_KIND = "microsoft.machinelearningservices/workspaces"


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    tags: dict[str, str] | None = None
    sku: Any = None
    identity: Any = None
    properties: dict[str, Any] | None = None


class _Page(BaseModel):
    data: list[_Row] = Field(max_length=PAGE_ROWS)
    truncated: str = Field("false", alias="resultTruncated")
    skip_token: str | None = Field(None, alias="$skipToken")


def digests(workspace: Workspace, named: Mapping[str, Collection[str]]) -> dict[str, str]:
    """A digest of each project's endpoints with all that stands behind them.

    A project's are those that carry its tag, and those `named` as its own, whatever they carry.

    Raises:
        RefusedError: Resource Graph does not answer so that the projects can be told apart.
        MissingRoleError: it does not show the workspace to TuneOps's identity.
        UnavailableError: it can't be asked now.
    """
    own = workspace.id.lower()
    rows = {row.id.lower(): row for row in _rows(workspace)}
    if own not in rows:
        raise MissingRoleError(
            f"Resource Graph does not show the workspace {workspace.id}: grant TuneOps's identity "
            "the role Reader on it"
        )
    behind: dict[str, list[Any]] = defaultdict(list)
    for path in sorted(rows):
        if path.startswith(f"{own}/"):
            behind[path.partition("/deployments/")[0]].append(_essence(rows[path]))
    found: dict[str, set[str]] = defaultdict(set)
    for project, endpoints in named.items():
        found[project].update(f"{own}/onlineendpoints/{name.lower()}" for name in endpoints)
    for path in behind:
        project = _tagged(rows.get(path))
        if project:
            found[project].add(path)
    return {
        project: names.digest(*(behind[path] for path in sorted(paths & behind.keys())))
        for project, paths in found.items()
    }


def _tagged(endpoint: _Row | None) -> str:
    """The project whose tag an endpoint carries, empty for none."""
    return (endpoint.tags or {}).get(names.TAG_PROJECT, "") if endpoint else ""


def _essence(row: _Row) -> Any:
    """A resource without what Azure keeps in it for itself, such as its last operation."""
    properties = {k: v for k, v in (row.properties or {}).items() if k != "properties"}
    return [row.id.lower(), row.tags, row.sku, row.identity, properties]


def _rows(workspace: Workspace) -> Iterator[_Row]:
    token: str | None = None
    for _ in range(MAX_PAGES):
        page = _page(workspace, token)
        yield from page.data
        token = page.skip_token
        if not token:
            if page.truncated.lower() == "true":
                raise RefusedError("Resource Graph leaves out resources of the workspace")
            return
    raise RefusedError(f"the workspace has more than {MAX_PAGES * PAGE_ROWS:,} endpoints")


def _page(workspace: Workspace, token: str | None) -> _Page:
    options: dict[str, Any] = {"resultFormat": "objectArray", "$top": PAGE_ROWS}
    if token:
        options["$skipToken"] = token
    body = {
        "subscriptions": [workspace.id.split("/")[2]],
        "query": _query(workspace.id),
        "options": options,
    }
    with azure_errors("Resource Graph"):
        headers = workspace.authorization()
    try:
        answer = httpx2.post(
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


def _query(workspace_id: str) -> str:
    kinds = ("", "/onlineendpoints", "/onlineendpoints/deployments")
    listed = ", ".join(f"'{_KIND}{kind}'" for kind in kinds)
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
        return MissingRoleError(f"{message} ({roles.advice(said)})")
    if answer.status_code == _THROTTLED or answer.status_code >= 500:
        return UnavailableError(message, asked_pause(answer.headers))
    return RefusedError(message)

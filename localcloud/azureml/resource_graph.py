"""Azure Resource Graph, as far as it lists the workspace, its online endpoints and deployments.

https://learn.microsoft.com/azure/governance/resource-graph/concepts/query-language
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import ArmError, Json
from localcloud.azureml.bodies import choice, optional_text, read_json, section, text, whole_number
from localcloud.azureml.deployments import DEPLOYMENTS
from localcloud.azureml.endpoints import ENDPOINTS
from localcloud.azureml.grants import Grants
from localcloud.azureml.site import Site
from localcloud.azureml.store import Store
from localcloud.azureml.workspace import Workspace

PATH = "/providers/Microsoft.ResourceGraph/resources"
MAX_ROWS = 1000
DEFAULT_ROWS = 100
COLUMNS = (
    "id",
    "name",
    "type",
    "tenantId",
    "kind",
    "location",
    "resourceGroup",
    "subscriptionId",
    "sku",
    "tags",
    "identity",
    "properties",
)

_TEXT = r"'(?:[^'\\]|\\.)*'"
_WHERE = re.compile(
    rf"where\s+(?P<column>\w+)\s+(?P<operator>=~|startswith|in~)\s*(?P<value>\(.*\)|{_TEXT})"
)
_PROJECT = re.compile(r"project\s+(?P<columns>\w+(\s*,\s*\w+)*)")
_ORDER = re.compile(r"order\s+by\s+id\s+asc")
_STEP = re.compile(rf"(?:{_TEXT}|[^|'])+")

Rows = list[Json]


class ResourceGraph:
    """Answers queries over the workspace with its endpoints and deployments."""

    def __init__(self, site: Site, store: Store, workspace: Workspace, grants: Grants) -> None:
        self._site = site
        self._store = store
        self._workspace = workspace
        self._grants = grants

    def routes(self) -> list[Route]:
        """Routes of Azure Resource Manager."""
        return [Route(PATH, self.query, methods=["POST"])]

    async def query(self, request: Request) -> Response:
        """One page of what a query finds, as objects."""
        body = await read_json(request)
        options = section(body, "options")
        choice(options, "resultFormat", ("objectArray",), "objectArray")
        top = whole_number(options, "$top", DEFAULT_ROWS, 1, MAX_ROWS)
        skip = _skipped(optional_text(options, "$skipToken"))
        rows = list(self._rows()) if self._in_scope(body) else []
        found = _run(text(body, "query"), rows)
        page = found[skip : skip + top]
        answer: Json = {
            "totalRecords": len(found),
            "count": len(page),
            "data": page,
            "facets": [],
            "resultTruncated": "false",
        }
        if skip + len(page) < len(found):
            answer["$skipToken"] = base64.b64encode(str(skip + len(page)).encode()).decode()
        return JSONResponse(answer)

    def _in_scope(self, body: Json) -> bool:
        wanted = body.get("subscriptions")
        if wanted is None:
            return True
        if not isinstance(wanted, list) or not all(isinstance(each, str) for each in wanted):
            raise ArmError(400, "BadRequest", "'subscriptions' must be a list of strings.")
        return self._site.connection.subscription_id in wanted

    def _rows(self) -> Iterator[Json]:
        connection = self._site.connection
        deployments = (record["resource"] for record in self._store.list(DEPLOYMENTS))
        for resource in (self._workspace.resource(), *self._store.list(ENDPOINTS), *deployments):
            if not self._grants.allow(f"{resource['type']}/read", resource["id"]):
                continue
            yield {
                **{column: resource.get(column) for column in COLUMNS},
                "type": resource["type"].lower(),
                "tenantId": connection.tenant_id,
                "resourceGroup": connection.resource_group.lower(),
                "subscriptionId": connection.subscription_id,
            }


def _run(query: str, rows: Rows) -> Rows:
    """What the query makes of all resources.

    Raises:
        ArmError: 400 for what is not offered here, though Azure may know it.
    """
    table, *steps = (step.strip() for step in _STEP.findall(query))
    if table.lower() != "resources":
        raise _refused(f"there is no table {table!r}")
    for step in steps:
        rows = _step(step, rows)
    return rows


def _step(step: str, rows: Rows) -> Rows:
    if found := _WHERE.fullmatch(step):
        holds = _condition(found["operator"], found["value"])
        column = _column(found["column"])
        return [row for row in rows if holds(str(row[column] or "").lower())]
    if found := _PROJECT.fullmatch(step):
        columns = [_column(name.strip()) for name in found["columns"].split(",")]
        return [{column: row[column] for column in columns} for row in rows]
    if _ORDER.fullmatch(step) and all("id" in row for row in rows):
        return sorted(rows, key=lambda row: str(row["id"]))
    raise _refused(f"{step!r} is not offered by the local cloud")


def _condition(operator: str, value: str) -> Callable[[str], bool]:
    """What a column's value in lower case has to fulfil; all three operators ignore the case."""
    texts = [re.sub(r"\\(.)", r"\1", each[1:-1]).lower() for each in re.findall(_TEXT, value)]
    listed = value.startswith("(")
    if listed != (operator == "in~") or re.sub(rf"{_TEXT}|[\s(),]", "", value):
        raise _refused(f"{operator} {value} can't be read")
    if operator == "startswith":
        return lambda given: given.startswith(texts[0])
    return lambda given: given in texts


def _column(name: str) -> str:
    if name not in COLUMNS:
        raise _refused(f"there is no column {name!r}")
    return name


def _skipped(token: str | None) -> int:
    try:
        return int(base64.b64decode(token or "", validate=True) or b"0")
    except (binascii.Error, ValueError):
        raise ArmError(400, "BadRequest", "The $skipToken is not valid.") from None


def _refused(why: str) -> ArmError:
    return ArmError(400, "InvalidQuery", f"Query is invalid: {why}.")

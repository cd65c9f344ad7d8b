"""What stands behind the endpoints of each project, told by one digest each."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from tuneops import names
from tuneops.azureml.resource_graph import ENDPOINTS, Row, rows_of
from tuneops.azureml.workspace import Workspace


def digests(workspace: Workspace, named: Mapping[str, Collection[str]]) -> dict[str, str]:
    """A digest of each project's endpoints with all that stands behind them.

    A project's are those that carry its tag, and those `named` as its own, whatever they carry.

    Raises:
        RefusedError: Resource Graph does not answer so that the projects can be told apart.
        MissingRoleError: it does not show the workspace to TuneOps's identity.
        UnavailableError: it can't be asked now.
    """
    own = workspace.id.lower()
    rows = {row.id.lower(): row for row in rows_of(workspace, ENDPOINTS)}
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


def _tagged(endpoint: Row | None) -> str:
    """The project whose tag an endpoint carries, empty for none."""
    return (endpoint.tags or {}).get(names.TAG_PROJECT, "") if endpoint else ""


def _essence(row: Row) -> Any:
    """A resource without what Azure keeps in it for itself, such as its last operation."""
    properties = {k: v for k, v in (row.properties or {}).items() if k != "properties"}
    return [row.id.lower(), row.tags, row.sku, row.identity, properties]

"""What of ours runs in a workspace: deployments and the nodes of clusters."""

from collections.abc import Iterator, Mapping
from typing import Any

from tuneops import names
from tuneops.azureml.errors import azure_errors
from tuneops.azureml.resource_graph import ENDPOINTS, Row, rows_of
from tuneops.azureml.workspace import Workspace, plain
from tuneops.cost.machines import Deployed, Nodes
from tuneops.observed import SUCCEEDED

_PREEMPTED = "preempted"
_MANAGED = "managed"


def deployments(workspace: Workspace, environment: str) -> tuple[Deployed, ...]:
    """All deployments behind endpoints of the environment's projects, by one query.

    One counts by its own tag, or by its endpoint's, whoever has added it. Those on a cluster of
    Kubernetes take no instances of Azure ML's.

    Raises:
        RefusedError: Resource Graph does not answer so that it can be understood.
        MissingRoleError: it does not show the workspace to TuneOps's identity.
        UnavailableError: it can't be asked now.
    """
    own = f"{workspace.id.lower()}/onlineendpoints/"
    rows = [row for row in rows_of(workspace, ENDPOINTS) if row.id.lower().startswith(own)]
    by_id = {row.id.lower(): row for row in rows}
    found = []
    for row in rows:
        path, is_deployment, _ = row.id.lower().partition("/deployments/")
        endpoint = by_id.get(path)
        project = _project(row) or (_project(endpoint) if endpoint else "")
        mine = bool(project) and names.environment_of(project) == environment
        if is_deployment and mine and _is_managed(row):
            found.append(_deployed(row, endpoint, project))
    return tuple(found)


def clusters(workspace: Workspace, environment: str) -> tuple[Nodes, ...]:
    """The clusters that were created for the environment's projects, with their nodes now.

    Raises:
        RefusedError: the workspace does not say.
        UnavailableError: the workspace can't be asked now.
    """
    with azure_errors("compute clusters"):
        return tuple(_nodes(workspace, environment))


def _nodes(workspace: Workspace, environment: str) -> Iterator[Nodes]:
    for found in workspace.ml.compute.list(compute_type="AmlCompute"):
        project = (found.tags or {}).get(names.TAG_PROJECT, "")
        if not project or names.environment_of(project) != environment:
            continue
        there = plain(found.provisioning_state) == SUCCEEDED
        nodes = workspace.ml.compute.list_nodes(str(found.name)) if there else ()
        yield Nodes(
            size=str(getattr(found, "size", None) or ""),
            count=sum(1 for node in nodes if _is_paid(node)),
            tier=str(getattr(found, "tier", None) or "dedicated"),
            cluster=str(found.name),
            project=project,
        )


def _is_paid(node: Any) -> bool:
    return plain(node.node_state).lower() != _PREEMPTED


def _is_managed(row: Row) -> bool:
    return str((row.properties or {}).get("endpointComputeType", _MANAGED)).lower() == _MANAGED


def _deployed(row: Row, endpoint: Row | None, project: str) -> Deployed:
    *_, where, _, name = row.id.split("/")
    capacity = row.sku.get("capacity") if isinstance(row.sku, Mapping) else None
    traffic = (endpoint.properties or {}).get("traffic") if endpoint else None
    return Deployed(
        size=str((row.properties or {}).get("instanceType") or ""),
        count=capacity if isinstance(capacity, int) and capacity > 0 else 1,
        endpoint=where,
        name=name,
        project=project,
        share=_share(traffic, name),
    )


def _share(traffic: object, name: str) -> int:
    shares = traffic if isinstance(traffic, Mapping) else {}
    found = next((share for each, share in shares.items() if str(each).lower() == name.lower()), 0)
    return found if isinstance(found, int) else 0


def _project(row: Row) -> str:
    return (row.tags or {}).get(names.TAG_PROJECT, "")

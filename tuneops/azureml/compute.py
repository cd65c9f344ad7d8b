"""Computes: the cluster that trains, virtual machine sizes, and quota."""

from contextlib import suppress
from typing import Any

from azure.core.exceptions import ResourceNotFoundError

from tuneops import names
from tuneops.azureml.errors import MissingRoleError, azure_errors
from tuneops.azureml.workspace import Workspace, plain
from tuneops.config import Compute
from tuneops.feasibility import Quota, Size
from tuneops.observed import Cluster
from tuneops.release import Release


def observe(workspace: Workspace, name: str) -> Cluster | None:
    """The cluster with this name, or None.

    Raises:
        UnavailableError: the workspace can't be asked now.
    """
    with azure_errors(f"compute {name}"):
        try:
            found = workspace.ml.compute.get(name)
        except ResourceNotFoundError:
            return None
    errors = getattr(found, "provisioning_errors", None)
    return Cluster(
        name=name,
        state=plain(found.provisioning_state),
        error=str(errors or ""),
        size=str(getattr(found, "size", None) or ""),
        max_nodes=getattr(found, "max_instances", None),
    )


def sizes(workspace: Workspace) -> list[Size]:
    """The virtual machine sizes of the workspace's region.

    Raises:
        UnavailableError: they can't be had now.
    """
    with azure_errors("virtual machine sizes"):
        return [
            Size(
                name=str(found.name),
                family=str(found.family or ""),
                cores=_as_sent(found, "v_cp_us", "vCPUs") or 0,
                gpus=found.gpus or 0,
            )
            for found in workspace.ml.compute.list_sizes()
        ]


def quotas(workspace: Workspace) -> list[Quota]:
    """The cores that the region allows of each family; none when the identity may not see them.

    Raises:
        UnavailableError: they can't be had now.
    """
    with suppress(MissingRoleError), azure_errors("quota"):
        return [_quota(usage) for usage in workspace.ml.compute.list_usage()]
    return []


def begin_create(workspace: Workspace, release: Release) -> None:
    """Begin creating the cluster that the release's config describes.

    Raises:
        RefusedError: the workspace does not accept it.
        UnavailableError: the workspace can't be asked now.
    """
    from azure.ai.ml.entities import AmlCompute

    compute: Compute = release.config.compute
    spec = compute.cluster
    if spec is None:
        raise ValueError(f"compute {compute.name} is not described")
    with azure_errors(f"creating compute {compute.name}"):
        cluster = AmlCompute(
            name=compute.name,
            size=spec.size,
            min_instances=spec.min_instances,
            max_instances=spec.max_instances,
            idle_time_before_scale_down=spec.idle_time_before_scale_down,
            tier=spec.tier,
            tags={**spec.tags, **names.tags(release.project, release.number, release.commit)},
        )
        workspace.ml.compute.begin_create_or_update(cluster)


def _quota(usage: Any) -> Quota:
    name = usage.name or {}
    limit = usage.limit
    return Quota(
        family=str(name.get("value", "") if isinstance(name, dict) else name.value),
        used=_as_sent(usage, "current_value", "currentValue") or 0,
        limit=-1 if limit is None else limit,
    )


def _as_sent(found: Any, documented: str, sent: str) -> Any:
    """A field of the SDK's objects for sizes and quota.

    They hold the names of the wire beside the documented ones, which stay None (azure-ai-ml 1.35).
    """
    return vars(found).get(sent, getattr(found, documented))

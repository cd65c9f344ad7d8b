"""Computes: the cluster that trains, virtual machine sizes, and quota."""

from contextlib import suppress
from typing import Any

from azure.core.exceptions import ResourceNotFoundError

from tuneops import names, observed
from tuneops.azureml import reasons
from tuneops.azureml.errors import MissingRoleError, azure_errors
from tuneops.azureml.identity import identity_of
from tuneops.azureml.transport import afresh
from tuneops.azureml.workspace import Workspace, plain
from tuneops.config import Cluster
from tuneops.feasibility import Quota, Size
from tuneops.release import Release


def observe(workspace: Workspace, name: str, project: str = "") -> observed.Cluster | None:
    """The cluster with this name, or None; it may have been created for the `project`.

    Raises:
        UnavailableError: the workspace can't be asked now.
    """
    with azure_errors(f"compute {name}"):
        try:
            found = workspace.ml.compute.get(name)
        except ResourceNotFoundError:
            return None
    errors = getattr(found, "provisioning_errors", None)  # the SDK gives the code alone
    return observed.Cluster(
        name=name,
        state=plain(found.provisioning_state),
        error=reasons.advised(str(errors or "")),
        size=str(getattr(found, "size", None) or ""),
        min_nodes=getattr(found, "min_instances", None) or 0,
        max_nodes=getattr(found, "max_instances", None),
        idle_seconds=getattr(found, "idle_time_before_scale_down", None),
        tier=str(getattr(found, "tier", None) or "dedicated"),
        ours=names.is_ours(found.tags, project),
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
            for found in workspace.ml.compute.list_sizes(location=workspace.region or None)
        ]


def quotas(workspace: Workspace) -> list[Quota]:
    """The cores that the region allows of each family; none when the identity may not see them.

    Raises:
        UnavailableError: they can't be had now.
    """
    with suppress(MissingRoleError), azure_errors("quota"):
        region = workspace.region or None
        return [_quota(usage) for usage in workspace.ml.compute.list_usage(location=region)]
    return []


def begin_create(workspace: Workspace, release: Release) -> None:
    """Begin creating the cluster that the release's config describes; it is the project's.

    Raises:
        RefusedError: the workspace does not accept it.
        UnavailableError: the workspace can't be asked now.
    """
    from azure.ai.ml.entities import AmlCompute

    compute, spec = release.config.compute, _described(release)
    owner = {names.TAG_PROJECT: names.family(release.project)}
    with azure_errors(f"creating compute {compute.name}"):
        cluster = AmlCompute(
            name=compute.name,
            size=spec.size,
            min_instances=spec.min_instances,
            max_instances=spec.max_instances,
            idle_time_before_scale_down=spec.idle_time_before_scale_down,
            tier=spec.tier,
            identity=identity_of(spec.identity) if spec.identity else None,
            tags={**spec.tags, **release.tags, **owner},
        )
        workspace.ml.compute.begin_create_or_update(cluster)


def begin_scale(workspace: Workspace, release: Release) -> None:
    """Begin giving the cluster the scale that the release's config describes.

    Raises:
        RefusedError: the workspace does not accept it.
        UnavailableError: the workspace can't be asked now.
    """
    name, spec = release.config.compute.name, _described(release)
    with azure_errors(f"scaling compute {name}"):
        cluster = _as_it_is(workspace, name)
        cluster.min_instances = spec.min_instances
        cluster.max_instances = spec.max_instances
        cluster.idle_time_before_scale_down = spec.idle_time_before_scale_down
        workspace.ml.compute.begin_update(cluster)


def begin_release_nodes(workspace: Workspace, name: str) -> None:
    """Begin letting the cluster scale to zero.

    Raises:
        RefusedError: the workspace does not accept it.
        UnavailableError: the workspace can't be asked now.
    """
    with azure_errors(f"scaling compute {name}"):
        cluster = _as_it_is(workspace, name)
        cluster.min_instances = 0
        workspace.ml.compute.begin_update(cluster)


def _as_it_is(workspace: Workspace, name: str) -> Any:
    with afresh():
        return workspace.ml.compute.get(name)


def _described(release: Release) -> Cluster:
    cluster = release.config.compute.cluster
    if cluster is None:
        raise ValueError(f"compute {release.config.compute.name} is not described")
    return cluster


def _quota(usage: Any) -> Quota:
    name = usage.name or {}
    limit = usage.limit
    return Quota(
        family=str(name.get("value", "") if isinstance(name, dict) else name.value),
        tier="low_priority" if "lowpriority" in str(usage.type).lower() else "dedicated",
        used=_as_sent(usage, "current_value", "currentValue") or 0,
        limit=-1 if limit is None else limit,
    )


def _as_sent(found: Any, documented: str, sent: str) -> Any:
    """A field of the SDK's objects for sizes and quota.

    They hold the names of the wire beside the documented ones, which stay None (azure-ai-ml 1.35).
    """
    return vars(found).get(sent, getattr(found, documented))

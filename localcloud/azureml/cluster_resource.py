"""The ARM resource of a cluster: what a request asks for, beside what the service says of it."""

import re

from localcloud.azureml.allocation import Allocation
from localcloud.azureml.arm import PROVIDER, Json, timestamp, user_error
from localcloud.azureml.bodies import choice, section, text, whole_number
from localcloud.azureml.cores import DEDICATED, PRIORITIES
from localcloud.azureml.site import Site
from localcloud.azureml.vm_sizes import SIZES, Size, find_size

# https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{1,30}[a-zA-Z0-9]")
_QUOTA_REACHED = {
    "error": {
        "code": "ClusterCoreQuotaReached",
        "message": "No more nodes can be allocated: the quota of cores is used by other computes.",
    }
}
_NODE_STATES = ("preparing", "running", "idle", "unusable", "leaving", "preempted")


def check_cluster_name(name: str) -> str:
    """The name itself, if a cluster may have it.

    Raises:
        ArmError: 400 when it may not.
    """
    if not _NAME.fullmatch(name):
        raise user_error(
            f"Compute name '{name}' is invalid. It can include letters, digits and dashes. It must "
            "start with a letter, end with a letter or digit, and be between 3 and 32 characters "
            "in length.",
            target="name",
        )
    return name


def cluster_resource(site: Site, name: str, body: Json, before: Json | None = None) -> Json:
    """The resource that a request asks for; what it leaves out stays as it was `before`.

    Raises:
        ArmError: 400 when something about it is wrong.
    """
    properties = section(body, "properties")
    if properties.get("computeType", "AmlCompute") != "AmlCompute":
        raise user_error("The local cloud has computes of type AmlCompute only.")
    current = before["properties"]["properties"] if before else {}
    cluster = current | section(properties, "properties")
    size = _size(name, cluster, current)
    return {
        "id": f"{site.workspace_path}/computes/{name}",
        "name": name,
        "type": f"{PROVIDER}/workspaces/computes",
        "location": site.connection.location,
        "tags": section(body, "tags"),
        "identity": body.get("identity"),
        "properties": {
            "createdOn": before["properties"]["createdOn"] if before else timestamp(),
            "modifiedOn": timestamp(),
            "disableLocalAuth": False,
            "description": properties.get("description"),
            "resourceId": None,
            "computeType": "AmlCompute",
            "computeLocation": site.connection.location,
            "provisioningErrors": None,
            "isAttachedCompute": False,
            "properties": _cluster(cluster, size, current),
        },
    }


def with_nodes(resource: Json, allocation: Allocation) -> Json:
    """The resource with the numbers of its nodes."""
    counts = {"running": len(allocation.jobs), "idle": allocation.idle}
    resource["properties"]["properties"] |= {
        "currentNodeCount": allocation.nodes,
        "targetNodeCount": allocation.nodes + allocation.lacking,
        "nodeStateCounts": {f"{state}NodeCount": counts.get(state, 0) for state in _NODE_STATES},
        "allocationState": "Resizing" if allocation.lacking else "Steady",
        "allocationStateTransitionTime": allocation.since,
        "errors": [_QUOTA_REACHED] if allocation.lacking else None,
    }
    return resource


def node_list(site: Site, resource: Json, allocation: Allocation) -> list[Json]:
    """The nodes of a cluster; they have no address, as nobody can log in."""
    name = resource["name"]
    jobs = [(job, job, "running") for job in allocation.jobs]
    idle = [(str(number), None, "idle") for number in range(allocation.idle)]
    return [
        {
            "nodeId": f"tvmps_{site.guid('computes', name, 'nodes', key)}",
            "privateIpAddress": None,
            "publicIpAddress": None,
            "port": None,
            "nodeState": state,
            "runId": job,
        }
        for key, job, state in (*jobs, *idle)
    ]


def _cluster(cluster: Json, size: Size, current: Json) -> Json:
    scale = _scale_settings(cluster)
    is_scaled = not current or _bounds(current["scaleSettings"]) != _bounds(scale)
    scaled = timestamp() if is_scaled else current["allocationStateTransitionTime"]
    login = cluster.get("remoteLoginPortPublicAccess", "NotSpecified")
    return {
        "vmSize": size.name.upper(),
        "vmPriority": choice(cluster, "vmPriority", PRIORITIES, DEDICATED),
        "scaleSettings": scale,
        "currentNodeCount": None,
        "targetNodeCount": None,
        "nodeStateCounts": None,
        "allocationState": None,
        "allocationStateTransitionTime": scaled,
        "errors": None,
        "osType": "Linux",
        "subnet": cluster.get("subnet"),
        "userAccountCredentials": _without_password(cluster),
        "isolatedNetwork": False,
        "enableNodePublicIp": cluster.get("enableNodePublicIp", True),
        "remoteLoginPortPublicAccess": login,
        "virtualMachineImage": cluster.get("virtualMachineImage"),
        "propertyBag": cluster.get("propertyBag"),
    }


def _size(name: str, cluster: Json, current: Json) -> Size:
    size = find_size(text(cluster, "vmSize"))
    if size is None:
        offered = ", ".join(size.name for size in SIZES)
        message = f"The size '{cluster['vmSize']}' is not known. Sizes: {offered}."
        raise user_error(message, target="vmSize")
    if size.name.upper() != current.get("vmSize", size.name.upper()):
        message = f"The size of compute '{name}' is {current['vmSize']} and can't be changed."
        raise user_error(message, target="vmSize")
    return size


def _scale_settings(cluster: Json) -> Json:
    scale = section(cluster, "scaleSettings")
    least = whole_number(scale, "minNodeCount", 0, 0, 1000)
    most = whole_number(scale, "maxNodeCount", 1, 1, 1000)
    if least > most:
        message = f"minNodeCount {least} is above maxNodeCount {most}."
        raise user_error(message, target="scaleSettings")
    idle = scale.get("nodeIdleTimeBeforeScaleDown", "PT120S")
    return {"minNodeCount": least, "maxNodeCount": most, "nodeIdleTimeBeforeScaleDown": idle}


def _bounds(scale: Json) -> tuple[int, int]:
    return scale["minNodeCount"], scale["maxNodeCount"]


def _without_password(cluster: Json) -> Json | None:
    """Who may log in, as the service shows it."""
    account = section(cluster, "userAccountCredentials")
    return {**account, "adminUserPassword": None} if account else None

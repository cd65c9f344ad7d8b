"""Which nodes each cluster has now: one for every job that runs on it, and its least number."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from localcloud.azureml.arm import Json
from localcloud.azureml.cores import node_cores
from localcloud.azureml.pipeline import compute_name

_ON_A_NODE = ("Running", "CancelRequested", "Finalizing")


@dataclass(frozen=True)
class Allocation:
    """The nodes of a cluster.

    There is one for each of `jobs`, and `idle` ones; for `lacking` ones there is no quota left.
    The last change was at `since`.
    """

    since: str
    jobs: tuple[str, ...] = ()
    idle: int = 0
    lacking: int = 0

    @property
    def nodes(self) -> int:
        """How many there are."""
        return len(self.jobs) + self.idle


def allocate(
    clusters: Sequence[Json], jobs: Sequence[Json], free: Mapping[str, int]
) -> dict[str, Allocation]:
    """The nodes of all clusters, by the records of all jobs and the free cores of each pool.

    Jobs have their nodes; cores that are left go to the clusters in the order of their scaling.
    """
    found = {cluster["name"]: Allocation(_scaled(cluster)) for cluster in clusters}
    ready = sorted(filter(_is_ready, clusters), key=_scaled)
    running = {cluster["name"]: _running_on(cluster, jobs) for cluster in ready}
    left = Counter(free)
    for cluster in ready:
        left.subtract(node_cores(cluster, len(running[cluster["name"]])))
    for cluster in ready:
        name = cluster["name"]
        idle, lacking = _kept(cluster, len(running[name]), left)
        left.subtract(node_cores(cluster, idle))
        found[name] = Allocation(_since(cluster, jobs), running[name], idle, lacking)
    return found


def _running_on(cluster: Json, jobs: Sequence[Json]) -> tuple[str, ...]:
    """The jobs that are on a node of the cluster."""
    most = cluster["properties"]["properties"]["scaleSettings"]["maxNodeCount"]
    own = (job for job in jobs if _cluster_of(job) == cluster["name"] and _is_on_a_node(job))
    return tuple(job["resource"]["name"] for job in own)[:most]


def _kept(cluster: Json, running: int, left: Mapping[str, int]) -> tuple[int, int]:
    """How many nodes wait for jobs, and how many more would, were there enough cores."""
    least = cluster["properties"]["properties"]["scaleSettings"]["minNodeCount"]
    wanted = max(least - running, 0)
    room = min(left[pool] // cores for pool, cores in node_cores(cluster).items())
    idle = min(wanted, max(room, 0))
    return idle, wanted - idle


def _since(cluster: Json, jobs: Sequence[Json]) -> str:
    moved = (
        str(job["moved"])
        for job in jobs
        if _cluster_of(job) == cluster["name"] and (job["node"] or _is_on_a_node(job))
    )
    return max([_scaled(cluster), *moved])


def _scaled(cluster: Json) -> str:
    """When the cluster was created or scaled."""
    return str(cluster["properties"]["properties"]["allocationStateTransitionTime"])


def _is_ready(cluster: Json) -> bool:
    return bool(cluster["properties"]["provisioningState"] == "Succeeded")


def _is_on_a_node(job: Json) -> bool:
    return job["resource"]["properties"]["status"] in _ON_A_NODE


def _cluster_of(job: Json) -> object:
    """The cluster that a job trains or runs its command on; None for serverless compute."""
    properties = job["resource"]["properties"]
    if properties["jobType"] == "Command":
        return compute_name(properties["computeId"])
    return compute_name(job["work"]["literals"].get("compute_finetune"))

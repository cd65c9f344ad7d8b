"""Which nodes each cluster has now: one for every job that runs on it, and its least number."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from localcloud.azureml.arm import Json
from localcloud.azureml.busy_nodes import Use
from localcloud.azureml.cores import node_cores


@dataclass(frozen=True)
class Allocation:
    """The nodes of a cluster.

    Each of `jobs` has one or several, and there are `idle` ones; for `lacking` ones there is no
    quota left. The last change was at `since`.
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
    clusters: Sequence[Json], uses: Sequence[Use], free: Mapping[str, int]
) -> dict[str, Allocation]:
    """The nodes of all clusters, by what all jobs use and the free cores of each pool.

    Jobs have their nodes; cores that are left go to the clusters in the order of their scaling.
    """
    found = {cluster["name"]: Allocation(_scaled(cluster)) for cluster in clusters}
    ready = sorted(filter(_is_ready, clusters), key=_scaled)
    running = {cluster["name"]: _running_on(cluster, uses) for cluster in ready}
    left = Counter(free)
    for cluster in ready:
        left.subtract(node_cores(cluster, len(running[cluster["name"]])))
    for cluster in ready:
        name = cluster["name"]
        idle, lacking = _kept(cluster, len(running[name]), left)
        left.subtract(node_cores(cluster, idle))
        found[name] = Allocation(_since(cluster, uses), running[name], idle, lacking)
    return found


def _running_on(cluster: Json, uses: Sequence[Use]) -> tuple[str, ...]:
    """The jobs that are on nodes of the cluster, as often as they have one."""
    most = cluster["properties"]["properties"]["scaleSettings"]["maxNodeCount"]
    own = (name for name, _, nodes in uses for _ in range(nodes.get(cluster["name"], 0)))
    return tuple(islice(own, most))


def _kept(cluster: Json, running: int, left: Mapping[str, int]) -> tuple[int, int]:
    """How many nodes wait for jobs, and how many more would, were there enough cores."""
    least = cluster["properties"]["properties"]["scaleSettings"]["minNodeCount"]
    wanted = max(least - running, 0)
    room = min(left[pool] // cores for pool, cores in node_cores(cluster).items())
    idle = min(wanted, max(room, 0))
    return idle, wanted - idle


def _since(cluster: Json, uses: Sequence[Use]) -> str:
    moved = (use.moved for use in uses if cluster["name"] in use.nodes)
    return max([_scaled(cluster), *moved])


def _scaled(cluster: Json) -> str:
    """When the cluster was created or scaled."""
    return str(cluster["properties"]["properties"]["allocationStateTransitionTime"])


def _is_ready(cluster: Json) -> bool:
    return bool(cluster["properties"]["provisioningState"] == "Succeeded")

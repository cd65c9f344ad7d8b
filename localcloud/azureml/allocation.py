"""Which nodes each cluster has now: one for every job that runs on it, and its least number."""

from collections.abc import Iterable
from dataclasses import dataclass

from localcloud.azureml.arm import Json
from localcloud.azureml.pipeline import compute_name

_ON_A_NODE = ("Running", "CancelRequested", "Finalizing")


@dataclass(frozen=True)
class Allocation:
    """The nodes of a cluster: one for each of `jobs`, and `idle` ones; `since` the last change."""

    since: str
    jobs: tuple[str, ...] = ()
    idle: int = 0

    @property
    def nodes(self) -> int:
        """How many there are."""
        return len(self.jobs) + self.idle


def allocate(cluster: Json, jobs: Iterable[Json]) -> Allocation:
    """The nodes of a cluster, by the records of all jobs."""
    properties = cluster["properties"]["properties"]
    scaled, scale = properties["allocationStateTransitionTime"], properties["scaleSettings"]
    if cluster["properties"]["provisioningState"] != "Succeeded":
        return Allocation(scaled)
    own = [job for job in jobs if _cluster_of(job) == cluster["name"]]
    running = tuple(job["resource"]["name"] for job in own if _is_on_a_node(job))
    since = max([scaled, *(job["moved"] for job in own if job["node"] or _is_on_a_node(job))])
    running = running[: scale["maxNodeCount"]]
    return Allocation(since, running, max(scale["minNodeCount"] - len(running), 0))


def _is_on_a_node(job: Json) -> bool:
    return job["resource"]["properties"]["status"] in _ON_A_NODE


def _cluster_of(job: Json) -> object:
    """The cluster that a job trains or runs its command on; None for serverless compute."""
    properties = job["resource"]["properties"]
    if properties["jobType"] == "Command":
        return compute_name(properties["computeId"])
    return compute_name(job["work"]["literals"].get("compute_finetune"))

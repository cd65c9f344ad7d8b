"""How many nodes of which cluster a job has, as Azure would have them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from localcloud.azureml.arm import Json
from localcloud.azureml.pipeline import compute_name

_ON_NODES = ("Running", "CancelRequested", "Finalizing")


class Use(NamedTuple):
    """The nodes that a job has of each cluster, 0 where it had some; it came or went at `moved`."""

    job: str
    moved: str
    nodes: Mapping[str, int]


def use_of(record: Json, steps: Sequence[Json]) -> Use:
    """What a job uses, by its record and those of its steps; a fine-tuning job has one node."""
    resource = record["resource"]
    nodes: Counter[str] = Counter()
    is_on_nodes = resource["properties"]["status"] in _ON_NODES
    if is_on_nodes or record["node"]:
        running = {step["step"] for step in steps if step["status"] == "Running"}
        for cluster, count, step in _places(record):
            busy = is_on_nodes and (step is None or step in running)
            nodes[cluster] += count if busy else 0
    return Use(resource["name"], str(record["moved"]), nodes)


def _places(record: Json) -> list[tuple[str, int, str | None]]:
    """The clusters that a job is for: each with its nodes, and the step that has them if one."""
    properties, work = record["resource"]["properties"], record["work"]
    if "steps" in work:
        return [(s["compute"], s["nodes"], s["name"]) for s in work["steps"] if s["compute"]]
    if properties["jobType"] == "Command":
        cluster = compute_name(properties["computeId"])
    else:
        cluster = compute_name(work["literals"].get("compute_finetune"))
    return [(cluster, 1, None)] if cluster else []

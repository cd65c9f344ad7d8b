"""How many nodes of a cluster run jobs, as Azure would have them."""

from localcloud.azureml.arm import Json
from localcloud.azureml.lifecycle import Lifecycle
from localcloud.azureml.pipeline import compute_name


def nodes_on(cluster: str, record: Json, lifecycle: Lifecycle) -> int:
    """The nodes of a cluster that a job has now; a fine-tuning job counts for one."""
    resource, work = record["resource"], record["work"]
    if resource["properties"]["status"] != "Running":
        return 0
    if "steps" in work:
        running = {step["step"] for step in lifecycle.steps(resource["name"]) if _runs(step)}
        here = (step for step in work["steps"] if step["compute"] == cluster)
        return sum(step["nodes"] for step in here if step["name"] in running)
    if resource["properties"]["jobType"] == "Command":
        return int(compute_name(resource["properties"]["computeId"]) == cluster)
    return int(work["literals"].get("compute_finetune") == cluster)


def _runs(step: Json) -> bool:
    return bool(step["status"] == "Running")

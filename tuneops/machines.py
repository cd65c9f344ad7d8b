"""Whether the steps of a training job can run where they are to run."""

from collections.abc import Mapping
from dataclasses import dataclass

from tuneops import feasibility
from tuneops.azureml import compute
from tuneops.azureml.errors import RefusedError
from tuneops.azureml.workspace import Workspace
from tuneops.config import Cluster as ClusterConfig
from tuneops.config import ProjectConfig
from tuneops.feasibility import Quota, Size
from tuneops.observed import CANCELED, FAILED, Cluster
from tuneops.parameters import Value
from tuneops.places import FINETUNE, Place, places_of, stated


@dataclass(frozen=True)
class Machines:
    """What trains: so many nodes of a size, with so many GPUs of each; `note`: what is not sure.

    `tier` is as the config calls it.
    """

    size: str
    nodes: int
    gpus: int
    note: str
    tier: str = "dedicated"


def trains_on(
    workspace: Workspace,
    project: str,
    config: ProjectConfig,
    model_tags: Mapping[str, str],
    sizes: list[Size],
    quotas: list[Quota],
) -> Machines:
    """The machines that train, after making sure that every step has some.

    Raises:
        InfeasibleError, NoQuotaLeftError, RefusedError: some can't be had.
        UnavailableError: the workspace can't be asked now.
    """
    wanted, given = config.compute, config.training.parameters.given()
    nodes, nodes_field = stated(given, "num_nodes_finetune", wanted.nodes, "compute.nodes")
    gpus, gpus_field = stated(
        given, "number_of_gpu_to_use_finetuning", wanted.gpus_per_node or 0, "compute.gpus_per_node"
    )
    places = places_of(config.compute, given)
    for place in (place for place in places.values() if place.serverless):
        feasibility.find_size(place.size, sizes, place.size_field)
    on_clusters = {step: place for step, place in places.items() if not place.serverless}
    found = {
        name: compute.observe(workspace, name, project)
        for name in {place.compute for place in on_clusters.values()}
    }
    chosen = {
        step: _cluster(
            config,
            place,
            found[place.compute],
            int(nodes) if step == FINETUNE else 1,
            nodes_field,
        )
        for step, place in on_clusters.items()
    }
    place = places[FINETUNE]
    field, name, is_new = chosen.get(FINETUNE, (place.size_field, place.size, True))
    size = feasibility.find_size(name, sizes, field)
    feasibility.check_fine_tuning_size(size.name, model_tags, field)
    note, there = "", found.get(place.compute)
    tier = there.tier if there else "dedicated"
    if is_new:
        tier = wanted.cluster.tier if wanted.cluster and not place.serverless else "dedicated"
        note = feasibility.check_quota(int(nodes) * size.cores, size, quotas, field, tier=tier)
    used = feasibility.gpus_per_node(size, int(gpus) or None, sizes, field, gpus_field)
    return Machines(size.name, int(nodes), used, note, tier)


def _cluster(
    config: ProjectConfig, place: Place, found: Cluster | None, nodes: int, nodes_field: str
) -> tuple[str, str, bool]:
    """The config field that decides the cluster's size, the size, and whether it is to be made."""
    described = config.compute.cluster if place.compute == config.compute.name else None
    field = place.compute_field
    if found is None:
        if described is None:
            raise RefusedError(
                f"{field}: the workspace has no compute {place.compute}; describe it under "
                "compute.cluster to have it created, name another one, or use serverless"
            )
        _check_nodes(place.compute, described.max_instances, nodes, nodes_field)
        return "compute.cluster.size", described.size, True
    if found.state in (FAILED, CANCELED):
        raise RefusedError(
            f"{field}: compute {found.name} failed to provision: "
            f"{found.error or 'no reason given'}; repair or delete it, or name another one"
        )
    if not found.size:
        raise RefusedError(f"{field}: {found.name} is no AmlCompute cluster; name one")
    if described and found.ours:
        _check_unchanged(found, described)
        _check_nodes(place.compute, described.max_instances, nodes, nodes_field)
        return "compute.cluster.size", found.size, False
    _check_nodes(found.name, found.max_nodes, nodes, nodes_field)
    return field, found.size, False


def _check_nodes(cluster: str, at_most: int | None, nodes: int, field: str) -> None:
    if at_most is not None and at_most < nodes:
        raise RefusedError(
            f"{field}: compute {cluster} has at most {at_most} nodes, {nodes} are asked for; "
            "ask for fewer or let it grow"
        )


def _check_unchanged(found: Cluster, described: ClusterConfig) -> None:
    """Refuse what Azure can't change of a cluster that there is."""
    for field, now, then in (
        ("size", found.size.lower(), described.size.lower()),
        ("tier", found.tier, described.tier),
    ):
        if now != then:
            raise RefusedError(
                f"compute.cluster.{field}: compute {found.name} has {now}, which Azure can't "
                "change; give compute.name a new name, or delete the cluster"
            )


def inputs_of(config: ProjectConfig, machines: Machines) -> dict[str, Value]:
    """The component's inputs that say where its steps run."""
    inputs: dict[str, Value] = {
        "num_nodes_finetune": machines.nodes,
        "number_of_gpu_to_use_finetuning": machines.gpus,
    }
    given = config.training.parameters.given()
    for step, place in places_of(config.compute, given).items():
        inputs[f"compute_{step}"] = place.compute
        if place.serverless:
            inputs[f"instance_type_{step}"] = place.size
    return inputs

"""Clusters that configs name, and the quota for what they ask for. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tuneops import feasibility
from tuneops.config import ProjectConfig
from tuneops.doctor.finding import Finding, failed, ok, skipped
from tuneops.feasibility import InfeasibleError, NoQuotaLeftError, Quota, Size
from tuneops.observed import CANCELED, FAILED, Cluster
from tuneops.places import FINETUNE, places_of, stated

_QUOTA_MEND = (
    "ask for more quota at https://ml.azure.com/quota, or choose another size in the config"
)


@dataclass(frozen=True)
class Wanted:
    """A project's config, and the file that it is from."""

    project: str
    path: str
    config: ProjectConfig


def clusters_of(wanted: Iterable[Wanted]) -> dict[str, Wanted]:
    """The clusters that configs name, each with the first that does; one that describes it wins."""
    found: dict[str, Wanted] = {}
    for each in wanted:
        compute = each.config.compute
        for place in places_of(compute, each.config.training.parameters.given()).values():
            described = place.compute == compute.name and compute.cluster is not None
            if not place.serverless and (place.compute not in found or described):
                found[place.compute] = each
    return found


def judge_cluster(name: str, cluster: Cluster | None, wanted: Wanted, group: str) -> Finding:
    """Whether a cluster that a config names is there, or can be made."""
    check, where = "compute.clusters", f"{name}, named in {wanted.path}"
    compute = wanted.config.compute
    if cluster is None and compute.name == name and compute.cluster:
        return ok(check, "is created with the first training", where)
    if cluster is None:
        mend = (
            f"az ml compute list --resource-group {group} shows those there are; describe it under "
            "compute.cluster, or name another one or serverless in compute.name"
        )
        return failed(check, "the workspace has no such compute", mend, where)
    if cluster.state in (FAILED, CANCELED):
        mend = f"delete and create it again: az ml compute delete --name {name}"
        return failed(check, f"failed to provision: {cluster.error or 'no reason'}", mend, where)
    if not cluster.size:
        mend = "name a cluster (AmlCompute) in compute.name"
        return failed(check, "is no cluster", mend, where)
    return ok(check, f"is there ({cluster.size})", where)


def judge_serving(wanted: Wanted, sizes: Sequence[Size], quotas: Sequence[Quota]) -> Finding:
    """Whether the quota, were nothing else there, is enough for the project's deployment."""
    check, where = "quota.serving", f"{wanted.path}, deployment"
    spec = wanted.config.deployment
    unused = _unused(quotas)

    def check_field(field: str) -> str:
        size = feasibility.find_size(spec.instance_types_by_field[field], sizes, field)
        cores = feasibility.deployment_cores(size, spec.first_count)
        return feasibility.check_quota(cores, size, unused, field)

    try:
        note = feasibility.first_possible(spec.instance_types_by_field, check_field)
    except (InfeasibleError, NoQuotaLeftError) as error:
        return failed(check, str(error), _QUOTA_MEND, where)
    return skipped(check, note, where) if note else ok(check, f"is enough for {spec}", where)


def judge_training(
    wanted: Wanted,
    clusters: Mapping[str, Cluster | None],
    sizes: Sequence[Size],
    quotas: Sequence[Quota],
) -> Finding:
    """Whether the quota, were nothing else there, is enough for the project's training."""
    check, where = "quota.training", f"{wanted.path}, compute"
    compute, given = wanted.config.compute, wanted.config.training.parameters.given()
    place = places_of(compute, given)[FINETUNE]
    there = clusters.get(place.compute)
    described = compute.cluster if place.compute == compute.name else None
    name = place.size if place.serverless else (there.size if there else "")
    tier = there.tier if there else "dedicated"
    if not name and described:
        name, tier = described.size, described.tier
    if not name:
        return skipped(check, "its cluster is not there", where)
    nodes, field = stated(given, "num_nodes_finetune", compute.nodes, "compute.nodes")
    try:
        size = feasibility.find_size(name, sizes, place.size_field)
        cores = int(nodes) * size.cores
        note = feasibility.check_quota(cores, size, _unused(quotas), field, tier=tier)
    except (InfeasibleError, NoQuotaLeftError) as error:
        return failed(check, str(error), _QUOTA_MEND, where)
    return skipped(check, note, where) if note else ok(check, f"is enough for {size.name}", where)


def _unused(quotas: Iterable[Quota]) -> list[Quota]:
    """What is in use now may be the project's own, so only the limits count."""
    return [replace(quota, used=0) for quota in quotas]

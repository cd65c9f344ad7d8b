"""Quota: how many cores of each pool the subscription may use here, and what uses them."""

from collections import Counter
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.allocation import Allocation, allocate
from localcloud.azureml.arm import PROVIDER, ArmError, Json
from localcloud.azureml.busy_nodes import use_of
from localcloud.azureml.cores import (
    ALL_DEDICATED,
    ALL_LOW_PRIORITY,
    FAMILIES,
    POOLS,
    deployment_cores,
    node_cores,
)
from localcloud.azureml.lifecycle import Lifecycle
from localcloud.azureml.site import Site
from localcloud.azureml.store import Store

PLENTY = 4800
# What the service calls the pools of all families: in a usage's type, and for people.
_TOTALS = {
    ALL_DEDICATED: ("totalDedicatedCores", "Total Cluster Dedicated Regional vCPUs"),
    ALL_LOW_PRIORITY: ("totalLowPriorityCores", "Total Cluster LowPriority Regional vCPUs"),
}


class Quota:
    """Limits by pool, and what the deployments and the nodes of clusters use of them."""

    def __init__(
        self, site: Site, store: Store, lifecycle: Lifecycle, limits: Mapping[str, int]
    ) -> None:
        self._site = site
        self._store = store
        self._lifecycle = lifecycle
        given = {pool.lower(): limit for pool, limit in limits.items()}
        self._limits = {pool: given.get(pool.lower(), PLENTY) for pool in POOLS}

    def routes(self) -> list[Route]:
        """Routes below the subscription."""
        locations = f"{self._site.subscription_path}/providers/{PROVIDER}/locations"
        return [Route(f"{locations}/{{location}}/usages", self.list_usages)]

    async def list_usages(self, request: Request) -> Response:
        """The use and the limit of every pool."""
        used = self._used()
        pools = [self._usage(pool, used[pool]) for pool in POOLS]
        unlimited = [self._low_priority(family) for family in FAMILIES]
        return JSONResponse({"value": [*pools, *unlimited]})

    def allocations(self) -> dict[str, Allocation]:
        """The nodes of every cluster, as far as there is quota for them."""
        return self._allocations(self._deployed())

    def check_deployment(self, record: Json) -> None:
        """Make sure that a deployment that is stored has room for what it asks for.

        Raises:
            ArmError: 400 `OutOfQuota` when one of its pools has not enough cores left.
        """
        more = _asked_for(record) - _served(record)
        used = self._used(pending=record)
        for pool, needed in more.items():
            if used[pool] + needed > self._limits[pool]:
                size = record["resource"]["properties"]["instanceType"]
                raise ArmError(
                    400,
                    "OutOfQuota",
                    f"Not enough quota available for {size} in SubscriptionId "
                    f"{self._site.connection.subscription_id}. Current usage/limit: "
                    f"{used[pool]}/{self._limits[pool]}. Additional needed: {needed}. Please see "
                    "troubleshooting guide, available here: https://aka.ms/oe-tsg#error-outofquota",
                )

    def check_cluster(self, cluster: Json) -> None:
        """Make sure that a cluster's least nodes, or one, can ever be had.

        Raises:
            ArmError: 400 `ClusterMinNodesExceedCoreQuota` when a pool's limit is below them.
        """
        nodes = max(cluster["properties"]["properties"]["scaleSettings"]["minNodeCount"], 1)
        for pool, needed in node_cores(cluster, nodes).items():
            limit = self._limits[pool]
            if needed > limit:
                kind = "total" if pool in _TOTALS else pool
                raise ArmError(
                    400,
                    "ClusterMinNodesExceedCoreQuota",
                    f"The specified subscription has a {kind} vCPU quota of {limit} and cannot "
                    f"accomodate for at least {nodes} requested managed compute nodes which maps "
                    f"to {needed} vCPUs.",
                )

    def _used(self, pending: Json | None = None) -> Counter[str]:
        """The cores that are used; a deployment that is `pending` uses what it did before."""
        used = self._deployed(pending)
        allocations = self._allocations(used)
        for cluster in self._store.list("computes"):
            used += node_cores(cluster, allocations[cluster["name"]].nodes)
        return used

    def _allocations(self, deployed: Counter[str]) -> dict[str, Allocation]:
        free = {pool: limit - deployed[pool] for pool, limit in self._limits.items()}
        jobs = self._lifecycle.jobs()
        uses = [use_of(job, self._lifecycle.steps(job["resource"]["name"])) for job in jobs]
        return allocate(self._store.list("computes"), uses, free)

    def _deployed(self, pending: Json | None = None) -> Counter[str]:
        used: Counter[str] = Counter()
        for record in self._store.list("deployments"):
            resource = record["resource"]
            is_pending = pending is not None and resource["id"] == pending["resource"]["id"]
            has_failed = resource["properties"]["provisioningState"] == "Failed"
            used += _served(record) if is_pending or has_failed else _asked_for(record)
        return used

    def _usage(self, pool: str, used: int) -> Json:
        kind, label = _TOTALS.get(
            pool, ("vmFamily/dedicatedCores", f"{pool} Cluster Dedicated vCPUs")
        )
        return self._row(pool, kind, label, used, self._limits[pool])

    def _low_priority(self, family: str) -> Json:
        """A family's low-priority cores, which have no limit of their own."""
        label = f"{family} Cluster LowPriority vCPUs"
        return self._row(family, "vmFamily/lowPriorityCores", label, 0, -1)

    def _row(self, pool: str, kind: str, label: str, used: int, limit: int) -> Json:
        location = self._site.connection.location
        return {
            "id": f"{self._site.subscription_path}/providers/{PROVIDER}/locations/{location}"
            f"/usages/{pool.replace(' ', '')}",
            "type": f"{PROVIDER}/{kind}/usages",
            "amlWorkspaceLocation": location,
            "unit": "Count",
            "currentValue": used,
            "limit": limit,
            "name": {"value": pool, "localizedValue": label},
        }


def _asked_for(record: Json) -> Counter[str]:
    """The cores of what a deployment is to be, by pool."""
    resource = record["resource"]
    return deployment_cores(resource["properties"]["instanceType"], resource["sku"]["capacity"])


def _served(record: Json) -> Counter[str]:
    """The cores of what a deployment was when it last succeeded, by pool."""
    serving = record["serving"]
    return deployment_cores(serving["instanceType"], serving["capacity"]) if serving else Counter()

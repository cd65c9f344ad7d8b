"""Quota: how many cores of each family of sizes the subscription may use here."""

from collections import Counter
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import PROVIDER, ArmError, Json
from localcloud.azureml.site import Site
from localcloud.azureml.store import Store
from localcloud.azureml.vm_sizes import SIZES, Size, find_size

PLENTY = 4800


class Quota:
    """Limits by family, and what the deployments use of them.

    A deployment takes a fifth more instances than it asks for, rounded up, as Azure counts:
    https://learn.microsoft.com/azure/machine-learning/how-to-manage-quotas
    """

    def __init__(self, site: Site, store: Store, limits: Mapping[str, int]) -> None:
        self._site = site
        self._store = store
        self._limits = {family.lower(): limit for family, limit in limits.items()}

    def routes(self) -> list[Route]:
        """Routes below the subscription."""
        locations = f"{self._site.subscription_path}/providers/{PROVIDER}/locations"
        return [Route(f"{locations}/{{location}}/usages", self.list_usages)]

    async def list_usages(self, request: Request) -> Response:
        """The use and the limit of every family."""
        used = self._used()
        families = dict.fromkeys(size.family for size in SIZES)
        return JSONResponse({"value": [self._usage(name, used[name]) for name in families]})

    def check(self, key: str) -> None:
        """Make sure that a deployment that is stored has room.

        Raises:
            ArmError: 400 `OutOfQuota` when its family has not enough cores left.
        """
        wanted = self._cores(self._store.get("deployments", key) or {})
        if wanted is None:
            return
        size, cores = wanted
        used, limit = self._used()[size.family], self._limit(size.family)
        if used > limit:
            raise ArmError(
                400,
                "OutOfQuota",
                f"Not enough quota available for {size.name} in SubscriptionId "
                f"{self._site.connection.subscription_id}. Current usage/limit: "
                f"{used - cores}/{limit}. Additional needed: {cores}. "
                "Please see troubleshooting guide, available here: https://aka.ms/oe-tsg#error-outofquota",
            )

    def _used(self) -> Counter[str]:
        found = (self._cores(record) for record in self._store.list("deployments"))
        used: Counter[str] = Counter()
        for size, cores in filter(None, found):
            used[size.family] += cores
        return used

    def _cores(self, record: Json) -> tuple[Size, int] | None:
        """A deployment's size and its cores; None for one that failed and holds none."""
        properties = record.get("resource", {}).get("properties", {})
        size = find_size(properties.get("instanceType") or "")
        if size is None or properties["provisioningState"] == "Failed":
            return None
        instances = record["resource"]["sku"]["capacity"]
        return size, -(-instances * 6 // 5) * size.cpus

    def _limit(self, family: str) -> int:
        return self._limits.get(family.lower(), PLENTY)

    def _usage(self, family: str, used: int) -> Json:
        location = self._site.connection.location
        kind = f"{PROVIDER}/locations/usages"
        return {
            "id": f"{self._site.subscription_path}/providers/{PROVIDER}/locations/{location}"
            f"/usages/{family.replace(' ', '')}",
            "type": kind,
            "amlWorkspaceLocation": location,
            "unit": "Count",
            "currentValue": used,
            "limit": self._limit(family),
            "name": {"value": family, "localizedValue": f"{family} Cluster Dedicated vCPUs"},
        }

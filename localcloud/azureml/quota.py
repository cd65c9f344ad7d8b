"""Quota: how many cores of each family of sizes the subscription may use here."""

from collections import Counter
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import PROVIDER, ArmError, Json
from localcloud.azureml.site import Site
from localcloud.azureml.store import Store
from localcloud.azureml.vm_sizes import SIZES, find_size

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

    def check(self, record: Json) -> None:
        """Make sure that a deployment that is stored has room for what it asks for.

        Raises:
            ArmError: 400 `OutOfQuota` when its family has not enough cores left.
        """
        size = record["resource"]["properties"]["instanceType"]
        family, wanted = _asked_for(record)
        held_family, held = _served(record)
        more = wanted - held if held_family == family else wanted
        used, limit = self._used()[family], self._limit(family)
        if more > 0 and used > limit:
            raise ArmError(
                400,
                "OutOfQuota",
                f"Not enough quota available for {size} in SubscriptionId "
                f"{self._site.connection.subscription_id}. Current usage/limit: "
                f"{used - more}/{limit}. Additional needed: {more}. "
                "Please see troubleshooting guide, available here: https://aka.ms/oe-tsg#error-outofquota",
            )

    def _used(self) -> Counter[str]:
        used: Counter[str] = Counter()
        for record in self._store.list("deployments"):
            failed = record["resource"]["properties"]["provisioningState"] == "Failed"
            family, cores = _served(record) if failed else _asked_for(record)
            used[family] += cores
        return used

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


def _asked_for(record: Json) -> tuple[str, int]:
    """The family and the cores of what a deployment is to be."""
    resource = record["resource"]
    return _cores(resource["properties"]["instanceType"], resource["sku"]["capacity"])


def _served(record: Json) -> tuple[str, int]:
    """The family and the cores of what a deployment was when it last succeeded."""
    serving = record["serving"]
    return _cores(serving["instanceType"], serving["capacity"]) if serving else ("", 0)


def _cores(name: str, instances: int) -> tuple[str, int]:
    size = find_size(name)
    return (size.family, -(-instances * 6 // 5) * size.cpus) if size else ("", 0)

"""Machines that run, and what they cost in an hour. Pure.

What has no price is never taken as free: it is named.
"""

import math
from collections.abc import Iterable

from tuneops.config import ProjectConfig
from tuneops.document import Document
from tuneops.prices import Prices
from tuneops.release import Release

HOURS_A_MONTH = 730
"""As Azure's own pricing pages count a month."""


class Machines(Document):
    """So many machines of one size; an empty `size` is one that Azure does not say."""

    size: str
    count: int
    tier: str = "dedicated"

    def hourly(self, prices: Prices | None) -> float | None:
        """What they cost in an hour; None without a price, unless there are none of them."""
        if self.count == 0:
            return 0.0
        price = prices.of(self.size, self.tier) if prices else None
        return None if price is None else price * self.count

    def __str__(self) -> str:
        return f"{self.count} x {self.size or 'a size that Azure does not say'}"


class Deployed(Machines):
    """The instances of a deployment, which gets `share` percent of its endpoint's traffic."""

    endpoint: str
    name: str
    project: str
    share: int = 0

    @property
    def key(self) -> str:
        """Names the deployment in its workspace, whatever the case."""
        return f"{self.endpoint}/{self.name}".lower()


class Nodes(Machines):
    """The nodes that a cluster has now."""

    cluster: str
    project: str


class Sum(Document):
    """What machines cost in an hour in all, but for those that are `unpriced`."""

    hourly: float = 0.0
    unpriced: tuple[str, ...] = ()

    @property
    def monthly(self) -> float:
        """What it comes to in a month."""
        return self.hourly * HOURS_A_MONTH


def sum_of(machines: Iterable[Machines], prices: Prices | None) -> Sum:
    """What all of them cost in an hour."""
    costs = [(each, each.hourly(prices)) for each in machines]
    return Sum(
        hourly=math.fsum(cost for _, cost in costs if cost is not None),
        unpriced=tuple(str(each) for each, cost in costs if cost is None),
    )


def servings(config: ProjectConfig) -> dict[str, Machines]:
    """The most machines that a deployment of this config may take, by the field that names them."""
    types = config.deployment.instance_types_by_field
    return {field: Machines(size=size, count=most(config)) for field, size in types.items()}


def wanted_by(release: Release) -> Deployed:
    """The deployment that a release with a training plan is to have."""
    return Deployed(
        size=release.instance_type,
        count=most(release.config),
        endpoint=release.endpoint,
        name=release.deployment_name,
        project=release.project,
    )


def most(config: ProjectConfig) -> int:
    """How many instances its deployment may have."""
    scale = config.deployment.autoscale
    return scale.max if scale else config.deployment.instance_count

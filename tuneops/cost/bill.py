"""What runs in an environment and what it costs, as people and programs are told. Pure."""

from tuneops.cost.machines import Deployed, Nodes, Sum
from tuneops.document import Document


class DeploymentCost(Document):
    """A deployment and what it is for; `hourly` is None without a price of its size."""

    deployment: Deployed
    role: str
    hourly: float | None


class ClusterCost(Document):
    """The nodes of a cluster that TuneOps created; `hourly` is None without a price."""

    nodes: Nodes
    hourly: float | None


class Bill(Document):
    """What runs in an environment now; `problem` says why that can't be told, if so.

    No `currency`: the policy has no prices. `releases` are those that are not where they should be,
    with why; `at_work`: some of them are on their way.
    """

    environment: str
    currency: str = ""
    max_hourly_cost: float | None = None
    deployments: tuple[DeploymentCost, ...] = ()
    clusters: tuple[ClusterCost, ...] = ()
    total: Sum = Sum()
    monthly: float = 0.0
    releases: tuple[str, ...] = ()
    at_work: bool = False
    problem: str = ""

    @property
    def running(self) -> tuple[Deployed, ...]:
        """The deployments themselves."""
        return tuple(each.deployment for each in self.deployments)

    @property
    def nodes(self) -> tuple[ClusterCost, ...]:
        """The clusters that have nodes now."""
        return tuple(each for each in self.clusters if each.nodes.count)

    @property
    def runs(self) -> bool:
        """Whether anything runs, or may: what can't be told may."""
        return bool(self.deployments or self.nodes or self.at_work or self.problem)


class Bills(Document):
    """The bills of all environments that were asked for."""

    environments: tuple[Bill, ...]

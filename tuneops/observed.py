"""What Azure says is, what policy and people say of it: the little that a decision needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tuneops import names
from tuneops.policy import Verdict
from tuneops.release import Phase, Release
from tuneops.rollout.question import Said
from tuneops.superseded import Superseded
from tuneops.training_progress import TrainingProgress

SUCCEEDED = "Succeeded"
FAILED = "Failed"
CANCELED = "Canceled"
COMPLETED = "Completed"
RUNNING = "Running"
DELETING = "Deleting"


@dataclass(frozen=True)
class Cluster:
    """A compute cluster; `error` says why it failed to provision.

    `ours` says whether it was created for the project; `tier` and `idle_seconds` are as the config
    calls them.
    """

    name: str
    state: str
    error: str = ""
    size: str = ""
    min_nodes: int = 0
    max_nodes: int | None = None
    idle_seconds: int | None = None
    tier: str = "dedicated"
    ours: bool = False


@dataclass(frozen=True)
class Job:
    """A pipeline job, by Azure ML's status names.

    `created` is when it was submitted, `began` when it began to run; that is asked only once it may
    be too long ago.
    """

    status: str
    release: str
    error: str = ""
    created: datetime | None = None
    began: datetime | None = None

    @property
    def unsuccessful(self) -> bool:
        """Whether the job has ended without a model."""
        return self.status in (FAILED, CANCELED)

    @property
    def running(self) -> bool:
        """Whether the job still uses or waits for compute."""
        return not self.unsuccessful and self.status != COMPLETED


@dataclass(frozen=True)
class Deployment:
    """A deployment behind an endpoint; `release` is the number in its tag, empty if not ours.

    `transient`: it failed for a reason that may be gone the next time; `lacking`: for want of
    machines, which there may be of another instance type. `settings` are texts by
    their paths in the config, `model` is NAME:VERSION, `lost_tags` are those that everything of
    ours has and this has not, `other_owner` is the other project whose tag it carries.
    """

    name: str
    state: str
    release: str
    error: str = ""
    transient: bool = False
    lacking: bool = False
    instance_type: str = ""
    instance_count: int = 1
    model: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    lost_tags: tuple[str, ...] = ()
    other_owner: str = ""

    @property
    def settled(self) -> bool:
        """Whether no operation on the deployment is under way."""
        return self.state in (SUCCEEDED, FAILED, CANCELED)


@dataclass(frozen=True)
class Endpoint:
    """A managed online endpoint; `ours` says whether it carries the project's tag.

    `identities` are the lower-case ARM ids of its user-assigned identities; none: it has a
    system-assigned one.
    """

    name: str
    state: str
    ours: bool = True
    auth_mode: str = "key"
    public_network_access: str = "enabled"
    identities: frozenset[str] = frozenset()
    tags: Mapping[str, str] = field(default_factory=dict)
    lost_tags: tuple[str, ...] = ()
    traffic: Mapping[str, int] = field(default_factory=dict)
    mirror_traffic: Mapping[str, int] = field(default_factory=dict)
    deployments: tuple[Deployment, ...] = ()

    def deployment(self, name: str) -> Deployment | None:
        """The deployment with this name, if it exists."""
        return next((item for item in self.deployments if item.name == name), None)

    def takes_traffic(self, deployment: str) -> bool:
        """Whether some of the traffic goes to this deployment."""
        return self.traffic.get(deployment, 0) > 0

    def is_untested(self, deployment: Deployment, live_release: int) -> bool:
        """Whether what was live was made again since, as its tag says, and never got traffic.

        A release that came to nothing has made it, or nobody knows who.
        """
        if deployment.other_owner or self.takes_traffic(deployment.name):
            return False
        made_by = deployment.release
        return not made_by.isdecimal() or int(made_by) > live_release

    @property
    def changing(self) -> bool:
        """Whether an operation on the endpoint is under way."""
        return self.state != SUCCEEDED and not self.broken

    @property
    def broken(self) -> bool:
        """Whether Azure failed at the last change of it."""
        return self.state in (FAILED, CANCELED)

    @property
    def superfluous(self) -> tuple[Deployment, ...]:
        """Deployments of ours that get no traffic, be it mirrored, and that nobody wants kept."""
        return tuple(
            d
            for d in self.deployments
            if d.release
            and names.TAG_KEEP not in d.tags
            and not self.takes_traffic(d.name)
            and not self.mirror_traffic.get(d.name)
        )


@dataclass(frozen=True)
class Scaling:
    """An autoscale setting of ours: of which deployment, and what it says by the config's names."""

    endpoint: str
    deployment: str
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """What it is for, however Azure spells that."""
        return self.endpoint.lower(), self.deployment.lower()


@dataclass(frozen=True)
class Observed:
    """What was seen of a project; what its phase does not need was not looked at.

    `scalings` are the autoscale settings of what is, or was, behind the project's endpoints.
    `stale_endpoints` are endpoints made for the project under names it no longer has.
    `live_deployment`, as ENDPOINT/DEPLOYMENT, is what serves, or should when somebody has taken its
    traffic away; `previous` is what was live before, newest first.
    `newest_base_model` is the id of the newest version in the registry, empty when the config
    names one itself. `awaited` is the release's deployment while it is being created or changed:
    then its endpoint was not looked at. `live` is the release `live_release`, for its metrics and
    its settings.
    `served`: the release's model was live before.
    `rejected` says why what is desired may not come back by itself, if so; `retried`: people want
    this release, or what was rejected, to be tried again. `metrics_delay` is how long after a
    minute's start its live figures are all there. `said` is the last that a person has said to a
    question. `shares_job`: others wait for the job, too. `progress` is how far its training has
    come.
    """

    cluster: Cluster | None = None
    job: Job | None = None
    model_registered: bool = False
    model_archived: bool = False
    endpoint: Endpoint | None = None
    awaited: Deployment | None = None
    stale_endpoints: tuple[Endpoint, ...] = ()
    scalings: tuple[Scaling, ...] = ()
    live_release: int | None = None
    live: Release | None = None
    served: bool = False
    live_deployment: str = ""
    previous: tuple[Superseded, ...] = ()
    newest_base_model: str = ""
    verdict: Verdict = field(default_factory=Verdict)
    rejected: str = ""
    retried: bool = False
    metrics_delay: timedelta = timedelta(0)
    said: Said | None = None
    shares_job: bool = False
    progress: TrainingProgress | None = None

    def incumbent(self, newcomer: str) -> str:
        """The deployment that is live behind the endpoint and no `newcomer`, empty without one.

        What an older version made live is known by its traffic. What had to be deployed again is
        not live until it is tested and gets traffic.
        """
        endpoint = self.endpoint
        if endpoint is None or self.live_release is None:
            return ""
        name = self.live_deployment.removeprefix(f"{endpoint.name}/")
        if not self.live_deployment:
            others = {each: share for each, share in endpoint.traffic.items() if each != newcomer}
            name = max(others, key=lambda each: others[each], default="")
        found = endpoint.deployment(name)
        if found is None or found.state == DELETING or name == newcomer:
            return ""
        again = self.live is not None and self.live.phase not in (Phase.LIVE, Phase.RETIRED)
        if again and not endpoint.takes_traffic(name):
            return ""
        return "" if endpoint.is_untested(found, self.live_release) else name

    def scaling(self, deployment: str) -> Scaling | None:
        """The autoscale setting of a deployment behind the endpoint, if it has one of ours."""
        if self.endpoint is None:
            return None
        wanted = (self.endpoint.name.lower(), deployment.lower())
        return next((each for each in self.scalings if each.key == wanted), None)

    @property
    def dispensable(self) -> tuple[Deployment, ...]:
        """Deployments of ours behind the endpoint without traffic, but for what is live."""
        endpoint = self.endpoint
        if endpoint is None:
            return ()
        live = self.live_deployment
        return tuple(d for d in endpoint.superfluous if f"{endpoint.name}/{d.name}" != live)

"""All there is in a history: git, the policy, what TuneOps has stored, and Azure."""

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import TYPE_CHECKING

from tests.config_text import config_of
from tests.simulation.azure import Azure
from tuneops.config import ProjectConfig
from tuneops.cost.room import Room
from tuneops.desired import Desired, Source
from tuneops.observed import Deployment, Endpoint, Observed
from tuneops.orders import Suspension
from tuneops.phases.behaving import asks
from tuneops.pinning import pinned
from tuneops.policy import Verdict
from tuneops.project import Project
from tuneops.release import Phase, Release
from tuneops.rollout.question import Question, Said
from tuneops.suspension import stays_as_it_is

if TYPE_CHECKING:
    from tests.simulation.sharing import Sharing

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
FRESH = 300
"""Seconds for which a reservation is relied on."""
METRICS_DELAY = timedelta(seconds=30)
WITH_LIVE = (Phase.EVALUATING, Phase.TESTING, Phase.SHIFTING, Phase.FAILED)
WITH_STALE = (Phase.DEPLOYING, Phase.LIVE, Phase.FAILED)
WITH_ENDPOINT = (Phase.DEPLOYING, Phase.SHIFTING, Phase.LIVE, Phase.FAILED)


@cache
def config(extra: str) -> ProjectConfig:
    """The project's config with `extra` YAML."""
    return config_of("bot", extra)


@dataclass
class Tally:
    """What has been met in many histories; `longest` are the most steps from calm to an end."""

    histories: int = 0
    releases: int = 0
    steps: int = 0
    longest: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    transitions: Counter[tuple[str, str]] = field(default_factory=Counter)
    happenings: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    distinct: set[int] = field(default_factory=set)

    def add(self, other: "Tally") -> None:
        """Count what another has counted as well."""
        self.histories += other.histories
        self.releases += other.releases
        self.steps += other.steps
        self.longest = max(self.longest, other.longest)
        self.distinct |= other.distinct
        self.actions += other.actions
        self.transitions += other.transitions
        self.happenings += other.happenings
        self.ends += other.ends


@dataclass
class World:
    """One project and what is around it. All values in it are immutable, so a copy is cheap.

    `git` is what git and the data say, `known` what the last event that was handled has told of
    them, `before` what one before that has. `wake` is when TuneOps looks again,
    None when it has nothing to wait for. `pace` is how fast operations end. `calm`: nothing goes
    wrong and nobody changes anything any more. `trace` tells histories apart. `say` is told what
    happens, where somebody listens. `sharing` is what several hosts share, where there are some.

    `said` is the last answer of a person, `asked` are the last questions, with their releases.
    `approved` and `reached` are the highest shares by release, since its deployment began to be
    made (`anew`), that a person approved, and that it was given. `answers` are the scores of the
    evaluation sets by release and deployment. `limit` is how many deployments may cost something,
    None for any; `reserved` is which has its room, until when.
    """

    chance: Random
    tally: Tally
    configs: tuple[str, ...]
    azure: Azure = field(default_factory=Azure)
    project: Project = field(default_factory=lambda: Project(name="bot"))
    releases: dict[int, Release] = field(default_factory=dict)
    now: datetime = BEGIN
    seconds: int = 0
    wake: float | None = 0
    version: int = 0
    commits: int = 0
    newest_base: str = "m/1"
    verdict: Verdict = field(default_factory=Verdict)
    retry: int = 0
    said: Said | None = None
    asked: tuple[tuple[int, Question], ...] = ()
    anew: dict[int, datetime] = field(default_factory=dict)
    approved: dict[int, int] = field(default_factory=dict)
    reached: dict[int, int] = field(default_factory=dict)
    answers: dict[tuple[int, str], tuple[float, ...]] = field(default_factory=dict)
    limit: int | None = None
    reserved: tuple[str, str, int] = ("", "", 0)
    pace: float = 0.5
    calm: bool = False
    trace: int = 0
    say: Callable[[str], None] | None = None
    sharing: "Sharing | None" = None
    git: Desired = field(init=False)
    known: Desired = field(init=False)
    before: Desired = field(init=False)
    _pinned: tuple[int, Desired, Desired] | None = None
    _suspended: tuple[Desired, Suspension, Desired] | None = None

    def __post_init__(self) -> None:
        self.git = self.known = self.before = self.commit(self.configs[0])

    def fork(self, chance: Random) -> "World":
        """A copy that goes its own way by its own chance."""
        other = copy.copy(self)
        other.chance = chance
        other.azure = self.azure.fork()
        for name in ("releases", "anew", "approved", "reached", "answers"):
            setattr(other, name, dict(getattr(self, name)))
        other.sharing = self.sharing.fork(chance) if self.sharing else None
        return other

    def commit(self, extra: str | None) -> Desired:
        """A new commit with this config, or without it, and the newest data."""
        self.commits += 1
        before = getattr(self, "git", None)
        return Desired(
            project="bot",
            commit=f"{self.commits:040d}",
            path="finetune/bot.yaml",
            config=None if extra is None else config(extra),
            source=Source(name="bot/a.jsonl", version=str(self.version), size=1),
            removed=before.config or before.removed if before else None,
        )

    def happens(self, what: str) -> None:
        """Count a happening, and tell of it."""
        self.tally.happenings[what] += 1
        if self.say:
            self.say(what)

    def passes(self, seconds: int) -> None:
        """So much time passes."""
        self.seconds += seconds
        self.now = BEGIN + timedelta(seconds=self.seconds)
        if self.sharing:
            self.sharing.passes(seconds)

    @property
    def desired(self) -> Desired:
        """What is wanted, or that all of it stays as it is."""
        order, pin = self.project.suspension, self.project.pin
        if order is None:
            return self.known if pin is None else self._wanted
        wanted = self._wanted
        if not order.stays(pin):
            return wanted
        found = self._suspended
        if found is None or found[0] is not wanted or found[1] is not order:
            held = stays_as_it_is(wanted, order, pin)
            self._suspended = found = (wanted, order, held)
        return found[2]

    @property
    def _wanted(self) -> Desired:
        """What is known that git wants, or what a pin holds the project at."""
        pin = self.project.pin
        if pin is None:
            return self.known
        found = self._pinned
        if found is None or found[0] != pin.release or found[1] is not self.known:
            wanted = pinned(self.known, self.releases[pin.release])
            self._pinned = found = (pin.release, self.known, wanted)
        return found[2]

    @property
    def rejected(self) -> str:
        """Why what git wants may not come back by itself."""
        if self.project.pin or not self.project.rejected or self.known.config is None:
            return ""
        met = self.project.rejection(self.known)
        return met.why if met else ""

    @property
    def retried(self) -> bool:
        """Whether people want the newest release tried again."""
        return bool(self.retry) and self.retry == self.project.current

    @property
    def release(self) -> Release | None:
        """The newest release."""
        return self.releases.get(self.project.current or 0)

    @property
    def live(self) -> Release | None:
        """The release that is live, as far as the project knows."""
        return self.releases.get(self.project.live or 0)

    def observe(self, release: Release | None) -> Observed:
        """What `tuneops.observe` and `tuneops.reconcile` would see of the release."""
        project, azure, rejected = self.project, self.azure, self.rejected
        if release is None or release.phase == Phase.RETIRED:
            return Observed(
                live_release=project.live,
                verdict=self.verdict,
                rejected=rejected,
                retried=self.retried,
            )
        phase, retiring = release.phase, self.desired.config is None
        job = release.running_job
        beside = project.live not in (None, release.number)
        compares = phase == Phase.TESTING and asks(release)
        begins = phase == Phase.TRAINING and azure.jobs.get(release.job_name) is None
        sees = retiring or begins or phase in WITH_ENDPOINT
        endpoint = azure.endpoints.get(release.endpoint) if sees or compares else None
        if endpoint and phase == Phase.DEPLOYING and not retiring:
            own = endpoint.deployment(release.deployment_name)
            if own and not own.settled:
                return self._awaiting(own)
        return Observed(
            cluster=azure.cluster if self._needs_cluster(release, retiring=retiring) else None,
            job=azure.jobs.get(job) if job else None,
            model_registered=phase in (Phase.EVALUATING, Phase.REGISTERING)
            and release.plan.digest in azure.models,
            model_archived=phase == Phase.LIVE and not retiring and azure.archived,
            endpoint=endpoint,
            stale_endpoints=self._stale(release) if retiring or phase in WITH_STALE else (),
            scalings=azure.scaled() if release.autoscaled and sees else (),
            live_release=project.live,
            served=release.training is not None and release.plan.digest in project.served,
            previous=project.previous,
            live=self.live if beside and phase in WITH_LIVE else None,
            live_deployment=project.live_deployment,
            metrics_delay=METRICS_DELAY,
            newest_base_model=self.newest_base if not retiring and phase.settled else "",
            verdict=self._weighed(release, endpoint),
            rejected=rejected,
            retried=self.retried,
            said=self.said,
        )

    def _awaiting(self, deployment: Deployment) -> Observed:
        """What is seen while an operation on the release's deployment is under way."""
        project = self.project
        return Observed(
            awaited=deployment,
            live_release=project.live,
            live_deployment=project.live_deployment,
            previous=project.previous,
            metrics_delay=METRICS_DELAY,
            verdict=self.verdict,
            rejected=self.rejected,
            retried=self.retried,
            said=self.said,
        )

    def _weighed(self, release: Release, endpoint: Endpoint | None) -> Verdict:
        """What the policy says, with the room that there is for a deployment that comes next."""
        room = self.room(release, endpoint)
        return self.verdict if room is None else replace(self.verdict, room=room)

    def room(self, release: Release, endpoint: Endpoint | None) -> Room | None:
        """As `tuneops.cost.reservation` finds it."""
        if self.limit is None or release.phase != Phase.DEPLOYING or endpoint is None:
            return None
        if endpoint.deployment(release.deployment_name):
            return None
        if self.has_reserved(release):
            return Room(reserved=True)
        there = sum(bool(d.release) for d in self.azure.deployments)
        if there < self.limit or release.entered(Phase.LIVE):
            return Room()
        return Room(lack=f"there are {there} deployments, {self.limit} may be")

    def has_reserved(self, release: Release) -> bool:
        """Whether room is reserved for the release's deployment."""
        *wanted, until = self.reserved
        return wanted == [release.endpoint, release.deployment_name] and self.seconds < until

    def _stale(self, release: Release) -> tuple[Endpoint, ...]:
        there, names = self.azure.endpoints, self.project.endpoints
        return tuple(there[n] for n in names if n != release.endpoint and n in there)

    @staticmethod
    def _needs_cluster(release: Release, *, retiring: bool) -> bool:
        wanted = release.config.compute
        prepares = release.phase == Phase.PREPARING and release.adopts is None
        waits = prepares and bool(release.training or release.data_job)
        return not wanted.serverless and (waits or (retiring and wanted.cluster is not None))

"""What is known after a round: what people wanted and asked for, and what has come of it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Expected:
    """How a release has to end, and what its reason has in it."""

    project: str
    number: int
    phase: str
    reason: str = ""


@dataclass(frozen=True)
class Ended:
    """How a release stands: `told` are the events that people have to hear of, by its history."""

    project: str
    number: int
    phase: str
    reason: str
    told: tuple[str, ...] = ()
    commit: str = ""

    @property
    def told_phases(self) -> tuple[str, ...]:
        """How it has ended: what was live may be superseded or retired by now."""
        come = {"live": "Live", "failed": "Failed"}
        return tuple(come[event] for event in self.told if event in come) or (self.phase,)


@dataclass(frozen=True)
class Sent:
    """An event that was sent and accepted; `about` says what it was."""

    id: str
    about: str


@dataclass
class Evidence:
    """All of it; names of resources are as in Azure, by project where they carry its tag."""

    expected: list[Expected] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    unreached: list[str] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    fates: dict[str, str] = field(default_factory=dict)
    undelivered: list[str] = field(default_factory=list)
    jobs: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """By training digest: the jobs that were submitted for it, with their status."""
    models: dict[str, list[str]] = field(default_factory=dict)
    """By training digest and project: the versions that were registered."""
    there: set[str] = field(default_factory=set)
    """Endpoints, deployments, running jobs, clusters, autoscale settings, held leases."""
    wanted: set[str] = field(default_factory=set)
    """What of that belongs to something."""
    kept: set[str] = field(default_factory=set)
    """What of that may be there still."""
    told: dict[str, int] = field(default_factory=dict)
    """How often each title came to people's channel."""
    torn_down: set[str] = field(default_factory=set)
    """The titles that tell of what was live before and has gone."""
    statuses: dict[tuple[str, str], str] = field(default_factory=dict)
    """The newest status on GitHub of a commit, by commit and project."""
    owed: list[str] = field(default_factory=list)
    """Mailboxes that still owe somebody something, or have given something up."""
    answers: dict[str, int] = field(default_factory=dict)
    """What clients of the live endpoint were answered: how often by status."""

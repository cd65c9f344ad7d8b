"""A release: one attempt to make a project's model be what git and the data say.

Everything here is a value: documents that are stored as JSON, and pure functions between them.
"""

from datetime import datetime
from functools import cached_property
from typing import ClassVar

from tuneops import migrations, names
from tuneops.behaviour.progress import Progress as Behaviour
from tuneops.cause import Cause
from tuneops.config import Deployment, ProjectConfig
from tuneops.desired import Desired, Source, fingerprint
from tuneops.difference import Drift
from tuneops.document import Document, Given
from tuneops.estimates import Actuals, Forecast, JobTimes, Measured
from tuneops.evaluation.checks import Check
from tuneops.message import Message
from tuneops.parameters import Parameter
from tuneops.phase import Phase as Phase  # as others know it
from tuneops.phase import check_transition
from tuneops.pins import Pins, resolved
from tuneops.prepared import DataJob, PreparedData
from tuneops.provisioning import Provisioning
from tuneops.rollout.progress import Progress
from tuneops.rollout.question import Question
from tuneops.telemetry.carried import Carrier
from tuneops.training_progress import TrainingProgress


class TrainingPlan(Document):
    """Everything that decides what a training job produces, and what it runs on.

    `parameters` are the inputs of the component. The sizes are those of virtual machines, `tier` is
    as the config calls it.
    """

    base_model: str
    component: str
    parameters: dict[str, Parameter]
    digest: str
    compute_size: str = ""
    nodes: int = 1
    gpus_per_node: int = 1
    tier: str = "dedicated"
    notes: tuple[str, ...] = ()
    attempt: int = 1


class Point(Document):
    """One logged value of a metric."""

    step: int
    value: float


class Metrics(Document):
    """What a job and its steps logged.

    `values` are the last values, the job's own before its steps'; `steps` the last values by
    step; `curves` the course of every metric that was logged more than once, thinned out. Values
    that are NaN or infinite are in none of them: `not_finite` names the metrics that had some.
    """

    values: dict[str, float] = {}
    steps: dict[str, dict[str, float]] = {}
    curves: dict[str, tuple[Point, ...]] = {}
    not_finite: tuple[str, ...] = ()
    times: JobTimes | None = None
    read_at: datetime | None = None


class SampleAnswer(Document):
    """What a new deployment answered to one question; texts are cut and hold no secret."""

    passed: bool
    status: int
    seconds: float
    at: datetime
    question: str
    request: str
    answer: str
    failures: tuple[str, ...] = ()


class Smoke(Document):
    """How far the smoke test has come: the answers that passed, and the last that did not."""

    answers: tuple[SampleAnswer, ...] = ()
    failed: SampleAnswer | None = None
    attempts: int = 0

    def add(self, answer: SampleAnswer) -> "Smoke":
        """The test with one more answer; a passed one moves it on to the next question."""
        if answer.passed:
            return Smoke(answers=(*self.answers, answer))
        return self.replace(failed=answer, attempts=self.attempts + 1)


class Entry(Document):
    """One line of a release's history."""

    phase: Phase
    at: datetime
    reason: str
    links: dict[str, str] = {}


class Trouble(Document):
    """Why the last step could not be done; it is tried again."""

    message: str
    since: datetime
    count: int
    told: bool = False


class Waiting(Document):
    """What a release waits for; `told` once it took so long that people were told.

    `about` names it where the reason has figures that change.
    """

    reason: str
    since: datetime
    told: bool = False
    about: str = ""


class Release(Document):
    """One release of a project, numbered from 1.

    `checks` are those of the metrics. `repairs` counts what was done again in this phase after
    Azure had failed at it. `forbidden`: it has failed because the policy does not allow it. `path`
    is that of the config file, and `answers_change`: the release is what a change of that file has
    led to. `trainings` are the project's earlier ones. `adopts` is the release whose model it has,
    if a pin made it, `cause` what has led to it, None if an earlier version of TuneOps began it;
    `rejected` says why this one was rolled back, if it was. `drift` is how what
    is live differs from it, `heals` when that was begun to be brought back lately. `behaviour` is
    how far its evaluation sets were asked, `rollout` how far its traffic has come, `approval` the
    last question that it had for people, `provisioning` what its deployment was tried on.
    `progress` is how far its training had come before there were metrics.
    `new_rows`: it was the first of its project to have these rows prepared.
    `overran`: its job has run for longer than it may. `left_job` is the job that the one before
    it has left running, until it knows whether that is its own.
    `endpoint_begun`: it has begun to create its endpoint.
    `autoscaled`: the project has, or had, autoscale settings in Azure Monitor. `trace` is what the
    work for it belongs to in the telemetry, empty if it was begun without. `moved_by` are the
    tickets of the last events that it was worked on for.
    """

    MIGRATIONS: ClassVar = (migrations.at("config", "rollout", change=migrations.keep_for_minutes),)

    project: str
    number: int
    fingerprint: str
    commit: str
    path: str = ""
    answers_change: bool = False
    config: Given[ProjectConfig]
    source: Source
    endpoint: str
    phase: Phase
    adopts: int | None = None
    cause: Cause | None = None
    rejected: str = ""
    history: tuple[Entry, ...] = ()
    data: PreparedData | None = None
    new_rows: bool = False
    data_job: DataJob | None = None
    training: TrainingPlan | None = None
    endpoint_begun: bool = False
    cancelled_job: bool = False
    left_job: str = ""
    overran: bool = False
    progress: TrainingProgress | None = None
    metrics: Metrics | None = None
    checks: tuple[Check, ...] = ()
    smoke: Smoke = Smoke()
    behaviour: Behaviour | None = None
    rollout: Progress | None = None
    approval: Question | None = None
    pins: Pins = Pins()
    trainings: tuple[Measured, ...] = ()
    autoscaled: bool = False
    forecast: Forecast | None = None
    actuals: Actuals | None = None
    repairs: int = 0
    provisioning: Provisioning = Provisioning()
    forbidden: bool = False
    reported_base_model: str = ""
    outbox: tuple[Message, ...] = ()
    drift: Drift | None = None
    heals: tuple[datetime, ...] = ()
    trouble: Trouble | None = None
    waiting: Waiting | None = None
    trace: Carrier = Carrier()
    moved_by: tuple[str, ...] = ()

    @property
    def plan(self) -> TrainingPlan:
        """The training plan, which every phase from Training on has."""
        if self.training is None:
            raise ValueError(f"release {self.number} has no training plan yet")
        return self.training

    @property
    def job_name(self) -> str:
        """The name of the training job."""
        return names.job_name(self.project, self.plan.digest, self.plan.attempt)

    def trains_by(self, job: str) -> bool:
        """Whether the job is an attempt at the release's training, be it another release's."""
        first = names.job_name(self.project, self.plan.digest, attempt=1)
        return job == first or job.removeprefix(f"{first}-").isdecimal()

    @property
    def data_job_name(self) -> str:
        """The name of the job that prepares the data, which only large data has."""
        if self.data_job is None:
            raise ValueError(f"release {self.number} prepares its data without a job")
        return names.job_name(self.project, self.data_job.key, self.data_job.attempt)

    @property
    def active_job(self) -> str:
        """The name of the job that the release waits for in its phase, empty without one.

        While it prepares it may come to wait for the one that was left to it.
        """
        return self._job_of(self.phase)

    @property
    def running_job(self) -> str:
        """The name of the job that may run for the release, empty without one.

        It is what it waits for; or did when it was superseded, unless that has been cancelled. One
        that has failed while it prepared leaves what was left to it.
        """
        if self.phase == Phase.FAILED:
            return self.left_job
        if self.phase != Phase.SUPERSEDED:
            return self.active_job
        before = next((e.phase for e in reversed(self.history) if e.phase != self.phase), None)
        return self._job_of(before) if before and not self.cancelled_job else ""

    def _job_of(self, phase: Phase) -> str:
        if phase == Phase.PREPARING:
            prepares = self.data_job is not None and self.data is None
            return self.data_job_name if prepares else self.left_job
        return self.job_name if phase == Phase.TRAINING else ""

    @property
    def model_name(self) -> str:
        """The name of the registered model."""
        return names.asset_name(self.project)

    @property
    def model_version(self) -> str:
        """The version of the registered model."""
        return names.model_version(self.plan.digest)

    @cached_property
    def instance_type(self) -> str:
        """What the deployment runs on, or is tried on next."""
        return next(iter(self.instance_types_left), self.config.deployment.instance_types[-1])

    @property
    def instance_types_left(self) -> list[str]:
        """What the deployment may still be tried on, in order."""
        return self.provisioning.left(self.config.deployment.instance_types)

    @cached_property
    def deployment(self) -> Deployment:
        """What is deployed: the config's deployment on the instance type that is in use."""
        return self.config.deployment.on(self.instance_type)

    @cached_property
    def deployment_digest(self) -> str:
        """Names the deployment: the model and what serves it, as far as the config decides it."""
        return self._digest_on(self.instance_type)

    @cached_property
    def deployment_name(self) -> str:
        """The name of the deployment."""
        return names.deployment_name(self.deployment_digest)

    def deployment_name_on(self, instance_type: str) -> str:
        """The name that the deployment would have on an instance type."""
        return names.deployment_name(self._digest_on(instance_type))

    def _digest_on(self, instance_type: str) -> str:
        deployment = self.config.deployment.on(instance_type)
        settings = deployment.model_dump(exclude_defaults=True, exclude={"autoscale"})
        return names.digest(self.plan.digest, settings)

    @property
    def tags(self) -> dict[str, str]:
        """The tags of everything this release creates."""
        return names.tags(self.project, self.number, self.commit)

    @property
    def resolved(self) -> dict[str, str]:
        """What the release has found for what its config leaves open."""
        found = Pins(
            base_model=self.training.base_model if self.training else "",
            component=self.training.component if self.training else "",
            hub_revision=self.data.revision if self.data else "",
        )
        return resolved(self.config, found)

    @property
    def reason(self) -> str:
        """Why the release is in its phase."""
        return self.history[-1].reason if self.history else ""

    @property
    def why(self) -> str:
        """Why the release is where it is: what it waits for, and if it has failed, that first."""
        waits = self.waiting.reason if self.waiting else ""
        failed = self.reason if self.phase == Phase.FAILED else ""
        return "; ".join(filter(None, (failed, waits))) or self.reason

    @property
    def submitted(self) -> bool:
        """Whether the release itself has submitted the training job, by its own history."""
        return any(e.phase == Phase.TRAINING and "job" in e.links for e in self.history)

    @property
    def may_be_registered(self) -> bool:
        """Whether its model may be another's already: not where it has trained it for itself.

        A preview registers nothing over its project's.
        """
        return not self.submitted or names.is_preview(self.project)

    def entered(self, phase: Phase) -> datetime | None:
        """When the release came to `phase` last, if it did; it may tell of more while in it."""
        came = None
        for entry in reversed(self.history):
            if entry.phase == phase:
                came = entry.at
            elif came:
                break
        return came

    def advance(
        self, phase: Phase, at: datetime, reason: str, links: dict[str, str] | None = None
    ) -> "Release":
        """The release in a new phase, with a line in its history.

        What is deployed, be it again, has not been tested; again, it is tried first on what it ran.

        Raises:
            ValueError: the phase does not follow the release's own.
        """
        check_transition(self.phase, phase)
        entry = Entry(phase=phase, at=at, reason=reason, links=links or {})
        changes: dict[str, object] = {"phase": phase, "history": (*self.history, entry)}
        changes |= {"repairs": 0, "trouble": None, "waiting": None}
        if phase == Phase.TRAINING:
            changes["left_job"] = ""
        elif phase == Phase.DEPLOYING:
            changes |= {"smoke": Smoke(), "rollout": None, "approval": None}
            if self.behaviour and self.entered(Phase.LIVE) is None:
                changes["behaviour"] = self.behaviour.afresh()
            changes["provisioning"] = Provisioning(preferred=self.instance_type)
        elif phase.ended and phase != Phase.LIVE:
            changes["drift"] = None
        return self.replace(**changes)

    def link(self, **links: str) -> "Release":
        """The release with links added to the newest line of its history."""
        *before, last = self.history
        known = {**last.links, **{name: url for name, url in links.items() if url}}
        return self.replace(history=(*before, last.replace(links=known)))

    def tell(self, message: Message) -> "Release":
        """The release with a message in its outbox, unless one of its key is there already."""
        if any(owed.key == message.key for owed in self.outbox):
            return self
        return self.replace(outbox=(*self.outbox, message))

    def without_job(self) -> "Release":
        """The release when the job that runs for it was cancelled."""
        own = self.running_job != self.left_job
        return self.replace(cancelled_job=self.cancelled_job or own, left_job="")

    def adopt(self, other: "Release") -> "Release":
        """The release with the data and the model of `other`."""
        return self.replace(
            data=other.data, training=other.training, metrics=other.metrics, pins=other.pins
        )

    def equals(self, other: "Release") -> bool:
        """Whether both are made of the same, down to the model."""
        plans = [each.training.digest if each.training else "" for each in (self, other)]
        return plans[0] == plans[1] and self.made_of == other.made_of

    @cached_property
    def made_of(self) -> str:
        """Names what the release is made of, as this version of TuneOps does it."""
        return fingerprint(self.config, self.source)

    def trains_like(self, desired: Desired) -> bool:
        """Whether a release of `desired` would train just what this one does."""
        return desired.config is not None and (
            self.source,
            self.config.model,
            self.config.data,
            self.config.training.trained,
            self.config.compute,
        ) == (
            desired.source,
            desired.config.model,
            desired.config.data,
            desired.config.training.trained,
            desired.config.compute,
        )

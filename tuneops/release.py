"""A release: one attempt to make a project's model be what git and the data say.

Everything here is a value: documents that are stored as JSON, and pure functions between them.
"""

from datetime import datetime
from enum import StrEnum

from tuneops import names
from tuneops.config import ProjectConfig
from tuneops.document import Document
from tuneops.looks import Look, Note
from tuneops.parameters import Parameter, Value
from tuneops.pins import Pins, pins, resolved


class Phase(StrEnum):
    """Where a release stands; the first eight in their order, then the other ends."""

    PREPARING = "Preparing"
    TRAINING = "Training"
    EVALUATING = "Evaluating"
    REGISTERING = "Registering"
    DEPLOYING = "Deploying"
    TESTING = "Testing"
    SHIFTING = "Shifting"
    LIVE = "Live"
    SUPERSEDED = "Superseded"
    FAILED = "Failed"
    RETIRED = "Retired"

    @property
    def ended(self) -> bool:
        """Whether a release in this phase has nothing more to reach."""
        return self in (Phase.LIVE, Phase.SUPERSEDED, Phase.FAILED, Phase.RETIRED)

    @property
    def settled(self) -> bool:
        """Whether the newest release stays in this phase until something else is wanted."""
        return self in (Phase.LIVE, Phase.FAILED)


ABOUT_RELEASES = {"notifications", "suspend", "in_flight", "on_removal", "deletion_protection"}
"""What a config says of all releases, not of what one is made of."""


class Source(Document):
    """Where training data comes from: a blob at its ETag, or a hub dataset at its revision.

    The version of a hub dataset is empty when the config leaves the revision open.
    """

    name: str
    version: str
    size: int


class Desired(Document):
    """What should be: the config at a commit and the newest data.

    No config: the file is gone, and `removed` is what stood in it last.
    """

    project: str
    commit: str
    path: str
    config: ProjectConfig | None
    source: Source | None = None
    removed: ProjectConfig | None = None

    @property
    def fingerprint(self) -> str:
        """Changes whenever a new release is due; `ABOUT_RELEASES` is no reason for one."""
        config = self.config.model_dump(exclude=ABOUT_RELEASES) if self.config else None
        return names.digest(config, self.source.model_dump() if self.source else None)


class PreparedData(Document):
    """Checked and split training data.

    `digest` names the rows, whatever file they came in. `files` are the parts (train, validation,
    test) by their paths in the container for prepared data; `folder` has the report, the rejected
    rows and the questions. `tokens` is an estimate of those in the training rows, `cut_rows` one of
    the rows that are longer than the config lets them be. `assets` are the ids of the Data
    assets by part, once registered.
    """

    digest: str
    folder: str
    files: dict[str, str] = {}
    train_rows: int
    test_rows: int
    validation_rows: int = 0
    questions: int = 1
    tokens: int = 0
    cut_rows: int = 0
    rejected_rows: int = 0
    duplicate_rows: int = 0
    rejections: tuple[str, ...] = ()
    revision: str = ""
    assets: dict[str, str] = {}

    @property
    def inputs(self) -> dict[str, Value]:
        """The component's inputs that take the files."""
        return {f"{part}_file_path": asset for part, asset in self.assets.items()}

    def path(self, part: str) -> str:
        """Where the rows of a part are."""
        return self.files.get(part, f"{self.folder}/{part}.jsonl")

    @property
    def parts(self) -> dict[str, int]:
        """The parts that there are, with their numbers of rows."""
        rows = {
            "train": self.train_rows,
            "validation": self.validation_rows,
            "test": self.test_rows,
        }
        return {name: count for name, count in rows.items() if count}


class DataJob(Document):
    """The job that prepares data which is too large for a function; `key` names the data.

    `revision` is the commit of a hub dataset.
    """

    key: str
    revision: str = ""
    attempt: int = 1


class TrainingPlan(Document):
    """Everything that decides what a training job produces, and what it runs on.

    `parameters` are the inputs of the component. The sizes are those of virtual machines.
    """

    base_model: str
    component: str
    parameters: dict[str, Parameter]
    digest: str
    compute_size: str = ""
    nodes: int = 1
    gpus_per_node: int = 1
    notes: tuple[str, ...] = ()
    attempt: int = 1


class Point(Document):
    """One logged value of a metric."""

    step: int
    value: float


class Metrics(Document):
    """What a job and its steps logged.

    `values` are the last values, the job's own before its steps'; `steps` the last values by
    step; `curves` the course of every metric that was logged more than once, thinned out.
    """

    values: dict[str, float] = {}
    steps: dict[str, dict[str, float]] = {}
    curves: dict[str, tuple[Point, ...]] = {}
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


class Delivery(Document):
    """How far one message has come on one channel."""

    attempts: int = 0
    sent_at: datetime | None = None
    retry_at: datetime | None = None
    gave_up: bool = False
    error: str = ""

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be done."""
        return self.sent_at is not None or self.gave_up


class Message(Document):
    """Something people are owed; `key` is unique within its document.

    `phase` is the release's when it was told.
    """

    key: str
    event: str
    phase: str = ""
    title: str
    text: str
    at: datetime
    commit: str = ""
    links: dict[str, str] = {}
    deliveries: dict[str, Delivery] = {}


class Trouble(Document):
    """Why the last step could not be done; it is tried again."""

    message: str
    since: datetime
    count: int
    told: bool = False


class Waiting(Document):
    """What a release waits for; `told` once it took so long that people were told."""

    reason: str
    since: datetime
    told: bool = False


class Release(Document):
    """One release of a project, numbered from 1.

    `repairs` counts what was done again in this phase after Azure had failed at it. `forbidden`:
    it has failed because the policy does not allow it.
    """

    project: str
    number: int
    fingerprint: str
    commit: str
    config: ProjectConfig
    source: Source
    endpoint: str
    phase: Phase
    history: tuple[Entry, ...] = ()
    data: PreparedData | None = None
    data_job: DataJob | None = None
    training: TrainingPlan | None = None
    cancelled_job: bool = False
    metrics: Metrics | None = None
    smoke: Smoke = Smoke()
    pins: Pins = Pins()
    repairs: int = 0
    forbidden: bool = False
    reported_base_model: str = ""
    outbox: tuple[Message, ...] = ()
    trouble: Trouble | None = None
    waiting: Waiting | None = None

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

    @property
    def data_job_name(self) -> str:
        """The name of the job that prepares the data, which only large data has."""
        if self.data_job is None:
            raise ValueError(f"release {self.number} prepares its data without a job")
        return names.job_name(self.project, self.data_job.key, self.data_job.attempt)

    @property
    def active_job(self) -> str:
        """The name of the job that the release waits for in its phase, empty without one."""
        if self.phase == Phase.PREPARING and self.data_job and not self.data:
            return self.data_job_name
        return self.job_name if self.phase == Phase.TRAINING else ""

    @property
    def model_version(self) -> str:
        """The version of the registered model, which has the project's name."""
        return names.model_version(self.plan.digest)

    @property
    def deployment_digest(self) -> str:
        """Names the deployment: the model and what serves it."""
        return names.digest(self.plan.digest, self.config.deployment.model_dump())

    @property
    def deployment_name(self) -> str:
        """The name of the deployment."""
        return names.deployment_name(self.deployment_digest)

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

    def entered(self, phase: Phase) -> datetime | None:
        """When the release came to `phase` last, if it did."""
        return next((e.at for e in reversed(self.history) if e.phase == phase), None)

    def advance(
        self, phase: Phase, at: datetime, reason: str, links: dict[str, str] | None = None
    ) -> "Release":
        """The release in a new phase, with a line in its history.

        What is deployed, be it again, has not been tested.
        """
        entry = Entry(phase=phase, at=at, reason=reason, links=links or {})
        changes: dict[str, object] = {"phase": phase, "history": (*self.history, entry)}
        changes |= {"repairs": 0, "trouble": None, "waiting": None}
        if phase == Phase.DEPLOYING:
            changes["smoke"] = Smoke()
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

    def trains_like(self, desired: Desired) -> bool:
        """Whether a release of `desired` would train just what this one does."""
        return desired.config is not None and (
            self.source,
            self.config.model,
            self.config.data,
            self.config.training,
            self.config.compute,
        ) == (
            desired.source,
            desired.config.model,
            desired.config.data,
            desired.config.training,
            desired.config.compute,
        )


class Wake(Document):
    """The queue message that will look at a project again."""

    id: str
    at: datetime


class Project(Document):
    """What is remembered of a project besides its releases.

    `current` is the newest release, `live` the one that has the traffic; `endpoints` are the names
    of all endpoints made for it that may still exist; `pins` what its releases have resolved.
    `trouble` is what keeps it from being looked at at all, `look` the last that found nothing to
    do.
    """

    name: str
    current: int | None = None
    live: int | None = None
    endpoints: tuple[str, ...] = ()
    pins: dict[str, str] = {}
    wake: Wake | None = None
    trouble: Trouble | None = None
    look: Look | None = None

    @property
    def note(self) -> Note:
        """What a resync needs to know of it."""
        return Note(wake_at=self.wake.at if self.wake else None, look=self.look)

    def remember(self, release: Release) -> "Project":
        """The project with what this release has resolved."""
        return self.replace(pins={**self.pins, **release.resolved})


def start_release(desired: Desired, project: Project, workspace_id: str, at: datetime) -> Release:
    """The project's next release, in its first phase; it keeps what the project has pinned.

    Raises:
        ValueError: there is no config or no data to make a release of.
    """
    if desired.config is None or desired.source is None:
        raise ValueError(f"{desired.project} has no config or no data")
    endpoint = desired.config.endpoint.name or names.endpoint_name(desired.project, workspace_id)
    release = Release(
        project=desired.project,
        number=(project.current or 0) + 1,
        fingerprint=desired.fingerprint,
        commit=desired.commit,
        config=desired.config,
        source=desired.source,
        endpoint=endpoint,
        phase=Phase.PREPARING,
        pins=pins(desired.config, project.pins),
    )
    reason = f"{desired.path} at {desired.commit[:8]} with data {desired.source.name}"
    return release.advance(Phase.PREPARING, at, reason)

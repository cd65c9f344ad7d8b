"""The config file: what one fine-tuned model should be.

One YAML file per project, ``finetune/*.yaml``. The words are Azure ML's wherever it has one.
"""

from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from tuneops.autoscaling import Autoscale
from tuneops.behaviour.settings import Behaviour
from tuneops.data.settings import Data, UploadedData
from tuneops.evaluation.settings import Evaluation
from tuneops.parameters import TrainingParameters
from tuneops.patterns import compiled
from tuneops.rollout.settings import Rollout
from tuneops.section import FILE, Section

SERVERLESS = "serverless"
TIMEOUT_HOURS = 72.0
"""A fine-tuning takes hours, a long one a day or two; a job that hangs costs no more than this."""
MAX_TIMEOUT_HOURS = 21 * 24
"""Azure ML lets no job run for longer than 21 days."""
PROJECT_NAME = r"^[a-z][a-z0-9-]{0,22}[a-z0-9]$"
IDENTITY_ID = (
    r"^/subscriptions/[^/]+/resourceGroups/[^/]+"
    r"/providers/Microsoft\.ManagedIdentity/userAssignedIdentities/[^/]+$"
)
ENDPOINT_NAME = r"^[a-zA-Z][a-zA-Z0-9-]{1,30}[a-zA-Z0-9]$"

Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$")]
InstanceType = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_]+$")]


def _not_taken(tags: dict[str, str]) -> dict[str, str]:
    taken = [name for name in tags if name.startswith("tuneops.")]
    if taken:
        raise ValueError(f"{taken[0]} is a name that TuneOps sets itself")
    return tags


Tags = Annotated[
    dict[
        Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^<>%&\\?/]+$")],
        Annotated[str, Field(max_length=256)],
    ],
    Field(max_length=15, description="Your own tags; names that begin with tuneops. are taken"),
    AfterValidator(_not_taken),
]
Texts = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=500)], ...], Field(max_length=20)
]
Event = Literal[
    "queued",
    "submitted",
    "trained",
    "shifting",
    "live",
    "failed",
    "aborted",
    "torn_down",
    "held",
    "drifted",
    "healed",
    "newer_base_model",
    "pinned",
    "unpinned",
    "awaits_approval",
    "approved",
    "suspended",
    "resumed",
]


class Model(Section):
    """The foundation model to start from."""

    name: Annotated[
        Name, Field(description="Name in the registry", examples=["Phi-3-mini-4k-instruct"])
    ]
    registry: Annotated[Name, Field(description="Azure ML registry")] = "azureml"
    version: Annotated[
        Name,
        Field(description="A version, or latest: the newest one when the first release is made"),
    ] = "latest"
    follow: Annotated[
        Literal["none", "latest"],
        Field(description="With version latest: latest retrains when the registry has a newer one"),
    ] = "none"

    @model_validator(mode="after")
    def _follows_latest_only(self) -> "Model":
        if self.follow == "latest" and self.version != "latest":
            raise ValueError(f"version is {self.version}: leave it out to follow the latest one")
        return self


class Training(Section):
    """How to train: the pipeline component and its inputs."""

    component: Annotated[Name, Field(description="Pipeline component in the registry")] = (
        "chat_completion_pipeline"
    )
    component_version: Annotated[
        Name,
        Field(description="A version, or latest: the newest one when the first release is made"),
    ] = "latest"
    parameters: TrainingParameters = TrainingParameters()
    timeout_hours: Annotated[
        float,
        Field(
            gt=0,
            le=MAX_TIMEOUT_HOURS,
            description="Hours that the job may run, without its time in the queue; then it is "
            "cancelled, and the release fails",
        ),
    ] = TIMEOUT_HOURS

    @property
    def trained(self) -> "Training":
        """What is trained, however long that may take."""
        return self.model_copy(update={"timeout_hours": TIMEOUT_HOURS})


class Identity(Section):
    """The managed identity that an endpoint or a cluster runs with."""

    type: Literal["system_assigned", "user_assigned"] = "system_assigned"
    user_assigned_identities: Annotated[
        tuple[Annotated[str, Field(pattern=IDENTITY_ID)], ...],
        Field(max_length=10, description="ARM ids of the identities"),
    ] = ()

    @model_validator(mode="after")
    def _named(self) -> "Identity":
        if (self.type == "user_assigned") != bool(self.user_assigned_identities):
            raise ValueError("user_assigned_identities belong to type user_assigned, at least one")
        return self


class Cluster(Section):
    """An AmlCompute cluster to create when it does not exist; it scales to zero by itself."""

    size: Annotated[InstanceType, Field(description="Virtual machine size")]
    min_instances: Annotated[int, Field(ge=0, le=64)] = 0
    max_instances: Annotated[int, Field(ge=1, le=64)] = 1
    idle_time_before_scale_down: Annotated[
        int, Field(ge=60, le=86_400, description="Seconds that an idle node is kept")
    ] = 900
    tier: Literal["dedicated", "low_priority"] = "dedicated"
    identity: Annotated[
        Identity | None, Field(description="With which its jobs read and write data")
    ] = None
    tags: Tags = {}

    @model_validator(mode="after")
    def _scale(self) -> "Cluster":
        if self.min_instances > self.max_instances:
            raise ValueError("min_instances is above max_instances")
        return self


class InstanceTypes(Section):
    """What each step runs on when the compute is serverless."""

    model_import: InstanceType = "Standard_D12_v2"
    preprocess: InstanceType = "Standard_D12_v2"
    finetune: InstanceType = "Standard_NC24ads_A100_v4"
    model_evaluation: InstanceType = "Standard_NC24ads_A100_v4"


class JobIdentity(Section):
    """What jobs read and write data as; left out, Azure ML decides."""

    type: Annotated[
        Literal["managed", "aml_token"],
        Field(description="managed: the identity of the cluster, or of the workspace (serverless)"),
    ] = "managed"
    client_id: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
            description="Which one, when there are several",
        ),
    ] = None

    @model_validator(mode="after")
    def _of_a_managed_one(self) -> "JobIdentity":
        if self.client_id and self.type != "managed":
            raise ValueError("client_id belongs to type managed")
        return self


class Compute(Section):
    """What trains: a cluster of the workspace, or serverless compute."""

    name: Annotated[Name, Field(description="An AmlCompute cluster, or serverless")] = "gpu-cluster"
    nodes: Annotated[int, Field(ge=1, le=64, description="Nodes per training job")] = 1
    gpus_per_node: Annotated[
        int | None, Field(ge=1, le=16, description="Left out: all that the size has")
    ] = None
    cluster: Annotated[
        Cluster | None, Field(description="How to create the cluster when it does not exist")
    ] = None
    instance_types: Annotated[
        InstanceTypes | None, Field(description="Only for serverless compute")
    ] = None
    identity: JobIdentity | None = None

    @property
    def serverless(self) -> bool:
        """Whether Azure ML finds the machines itself."""
        return self.name == SERVERLESS

    @model_validator(mode="after")
    def _kind(self) -> "Compute":
        if self.serverless and self.cluster:
            raise ValueError("serverless compute needs no cluster")
        if not self.serverless and self.instance_types:
            raise ValueError("instance_types are for serverless compute; a cluster has one size")
        if self.cluster and self.cluster.max_instances < self.nodes:
            raise ValueError(f"nodes is {self.nodes}, cluster.max_instances is less")
        return self


class Endpoint(Section):
    """The managed online endpoint that serves the model."""

    name: Annotated[
        str | None,
        Field(
            pattern=ENDPOINT_NAME,
            description="Unique in the region; left out, it is made from the project's name",
        ),
    ] = None
    auth_mode: Annotated[
        Literal["key", "aad_token"], Field(description="How callers authenticate")
    ] = "key"
    public_network_access: Literal["enabled", "disabled"] = "enabled"
    identity: Identity = Identity()
    tags: Tags = {}


class RequestSettings(Section):
    """Limits of one scoring request."""

    request_timeout_ms: Annotated[int, Field(ge=1, le=180_000)] = 90_000
    max_concurrent_requests_per_instance: Annotated[int, Field(ge=1, le=1000)] = 1
    max_queue_wait_ms: Annotated[int, Field(ge=1, le=180_000)] = 500


class Probe(Section):
    """When and how often the container is asked whether it is well; times in seconds."""

    initial_delay: Annotated[int, Field(ge=1, le=3600)] = 10
    period: Annotated[int, Field(ge=1, le=3600)] = 10
    timeout: Annotated[int, Field(ge=1, le=3600)] = 2
    success_threshold: Annotated[int, Field(ge=1, le=100)] = 1
    failure_threshold: Annotated[int, Field(ge=1, le=1000)] = 30


class LivenessProbe(Probe):
    """When the container counts as alive; large models load slowly."""

    initial_delay: Annotated[int, Field(ge=1, le=3600)] = 600


class Deployment(Section):
    """The deployment behind the endpoint."""

    instance_type: InstanceType = "Standard_NC24ads_A100_v4"
    alternative_instance_types: Annotated[
        tuple[InstanceType, ...],
        Field(
            max_length=5,
            description="Tried in this order when Azure has no quota or capacity for instance_type",
        ),
    ] = ()
    instance_count: Annotated[
        int, Field(ge=1, le=50, description="With autoscale: to begin with, and without figures")
    ] = 1
    autoscale: Annotated[
        Autoscale | None, Field(description="Left out, instance_count is what it stays at")
    ] = None
    request_settings: RequestSettings = RequestSettings()
    liveness_probe: LivenessProbe = LivenessProbe()
    readiness_probe: Probe = Probe()
    environment_variables: Annotated[
        dict[
            Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)],
            Annotated[str, Field(max_length=2000)],
        ],
        Field(max_length=50, description="Of the scoring container; they are no place for secrets"),
    ] = {}
    egress_public_network_access: Literal["enabled", "disabled"] = "enabled"
    tags: Tags = {}

    @property
    def instance_types(self) -> tuple[str, ...]:
        """All that it may run on, in the order in which they are tried."""
        return (self.instance_type, *self.alternative_instance_types)

    @property
    def instance_types_by_field(self) -> dict[str, str]:
        """The same, by the fields that name them."""
        others = enumerate(self.alternative_instance_types)
        named = {f"deployment.alternative_instance_types.{n}": name for n, name in others}
        return {"deployment.instance_type": self.instance_type, **named}

    def on(self, instance_type: str) -> "Deployment":
        """What is deployed when it runs on this instance type."""
        if self.instance_types == (instance_type,):
            return self
        return self.model_copy(
            update={"instance_type": instance_type, "alternative_instance_types": ()}
        )

    @property
    def first_count(self) -> int:
        """The instances that it begins with."""
        return self.autoscale.within(self.instance_count) if self.autoscale else self.instance_count

    def __str__(self) -> str:
        scale = self.autoscale
        count = f"{scale.min} to {scale.max}" if scale else self.instance_count
        return f"{count} x {' or '.join(self.instance_types)}"

    @model_validator(mode="after")
    def _distinct(self) -> "Deployment":
        names = [name.lower() for name in self.instance_types]
        if len(set(names)) < len(names):
            raise ValueError("alternative_instance_types names an instance type twice")
        return self


class Expectations(Section):
    """What every answer of the smoke test must be like, besides not being empty."""

    contains: Texts = ()
    does_not_contain: Texts = ()
    matches: Annotated[
        str | None,
        Field(max_length=500, description="A regular expression (RE2) found in the answer"),
    ] = None
    max_characters: Annotated[int | None, Field(ge=1, le=100_000)] = None

    @field_validator("matches")
    @classmethod
    def _compiles(cls, pattern: str | None, info: ValidationInfo) -> str | None:
        """Of a file alone: documents keep what earlier versions took."""
        if pattern and info.context == FILE:
            compiled(pattern)
        return pattern


class SmokeTest(Section):
    """The requests that a new deployment must answer before it gets traffic."""

    samples: Annotated[int, Field(ge=1, le=20, description="How many questions are asked")] = 1
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.6
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.9
    do_sample: bool = True
    max_new_tokens: Annotated[int, Field(ge=1, le=4096)] = 200
    max_seconds: Annotated[
        float | None, Field(gt=0, le=180, description="Longest time that an answer may take")
    ] = None
    expect: Expectations = Expectations()
    attempts: Annotated[
        int, Field(ge=1, le=10, description="Tries for each question before it counts as failed")
    ] = 3

    @model_validator(mode="after")
    def _samples_with_some_temperature(self) -> "SmokeTest":
        if self.do_sample and self.temperature == 0:
            raise ValueError("temperature 0 samples nothing: set do_sample to false as well")
        return self


ChannelName = Annotated[str, Field(max_length=40, pattern=r"^[a-z][a-z0-9-]*$")]


class Notifications(Section):
    """What people are told about."""

    events: Annotated[
        tuple[Event, ...], Field(description="Turns of a release that are worth a message")
    ] = get_args(Event)
    channels: Annotated[
        tuple[ChannelName, ...] | None,
        Field(
            max_length=50,
            description="Which of the channels in TUNEOPS_CHANNELS get them, by name; without "
            "this all whose routes let them, and with [] GitHub alone",
        ),
    ] = None


def _no_flag(value: Any) -> Any:
    """``true`` for a preview with all defaults, ``false`` for none."""
    if isinstance(value, bool):
        return {} if value else None
    return value


class Preview(Section):
    """An endpoint of its own for each pull request that changes the file."""

    hours: Annotated[
        int, Field(ge=1, le=168, description="How long it lasts after the newest push")
    ] = 24


class ProjectConfig(Section):
    """One project: a model to fine-tune, the data to do it with, and where to serve it."""

    name: Annotated[
        str, Field(pattern=PROJECT_NAME, description="Lower-case letters, digits, dashes; 2 to 24")
    ]
    model: Model
    data: Data
    training: Training = Training()
    compute: Compute = Compute()
    evaluation: Evaluation = Evaluation()
    endpoint: Endpoint = Endpoint()
    deployment: Deployment = Deployment()
    rollout: Rollout = Rollout()
    smoke_test: SmokeTest = SmokeTest()
    behaviour: Behaviour = Behaviour()
    notifications: Notifications = Notifications()
    suspend: Annotated[
        bool, Field(description="Nothing is begun, changed or taken down while it is true")
    ] = False
    in_flight: Annotated[
        Literal["cancel", "finish"],
        Field(description="What becomes of a release under way when a newer one is wanted"),
    ] = "cancel"
    on_removal: Annotated[
        Literal["delete", "retain"],
        Field(description="What becomes of the endpoint when this file is removed from git"),
    ] = "delete"
    preview: Annotated[
        Preview | None,
        BeforeValidator(_no_flag, json_schema_input_type=bool | Preview | None),
        Field(
            description="Pull requests that change this file get a model and an endpoint to try "
            "before the merge; the tracked branch has to allow it"
        ),
    ] = None
    drift: Annotated[
        Literal["heal", "report"],
        Field(
            description="When what is live was changed by hand or by another tool: it is brought "
            "back, or people are told and nothing is changed"
        ),
    ] = "heal"
    deletion_protection: Annotated[
        bool, Field(description="Set it to false first, then remove this file")
    ] = False

    @model_validator(mode="after")
    def _sets_are_not_trained_on(self) -> "ProjectConfig":
        folder = self.data.path if isinstance(self.data, UploadedData) else None
        for each in self.behaviour.sets:
            if folder and each.path.startswith(folder):
                raise ValueError(
                    f"behaviour.sets: {each.path} lies in data.path, where it would be trained on: "
                    "put it into another folder"
                )
        return self

    @model_validator(mode="after")
    def _has_sets_to_go_by(self) -> "ProjectConfig":
        if self.rollout.on_insufficient_traffic == "behaviour" and not self.behaviour.sets:
            raise ValueError("rollout.on_insufficient_traffic is behaviour: give behaviour.sets")
        return self

    @property
    def preview_hours(self) -> int:
        """How long a preview lasts, 0 for none."""
        return self.preview.hours if self.preview else 0

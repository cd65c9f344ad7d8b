"""The config file: what one fine-tuned model should be.

One YAML file per project, ``finetune/*.yaml``. The words are Azure ML's wherever it has one.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tuneops.parameters import TrainingParameters

PROJECT_NAME = r"^[a-z][a-z0-9-]{0,22}[a-z0-9]$"
ENDPOINT_NAME = r"^[a-zA-Z][a-zA-Z0-9-]{1,30}[a-zA-Z0-9]$"

Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$")]
InstanceType = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_]+$")]
Event = Literal["queued", "submitted", "trained", "live", "failed", "torn_down"]


class Section(BaseModel):
    """A part of the config: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Model(Section):
    """The foundation model to start from."""

    name: Annotated[
        Name, Field(description="Name in the registry", examples=["Phi-3-mini-4k-instruct"])
    ]
    registry: Annotated[Name, Field(description="Azure ML registry")] = "azureml"
    version: Annotated[Name, Field(description="A version, or latest")] = "latest"


class Data(Section):
    """The training data in the datasets container; the newest .jsonl under `path` counts."""

    path: Annotated[
        str,
        Field(
            max_length=512,
            pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*(/[a-zA-Z0-9][a-zA-Z0-9._-]*)*/?$",
            description="Folder in the datasets container",
            examples=["support-bot"],
        ),
    ]
    test_percent: Annotated[
        float,
        Field(gt=0, le=50, description="Share of the rows held out for evaluation, in percent"),
    ] = 10.0
    max_invalid_percent: Annotated[
        float, Field(ge=0, le=100, description="Share of bad rows above which the file is refused")
    ] = 10.0

    @field_validator("path")
    @classmethod
    def _folder(cls, path: str) -> str:
        return path.rstrip("/") + "/"


class Training(Section):
    """How to train: the pipeline component and its inputs."""

    component: Annotated[Name, Field(description="Pipeline component in the registry")] = (
        "chat_completion_pipeline"
    )
    component_version: Annotated[Name, Field(description="A version, or latest")] = "latest"
    parameters: TrainingParameters = TrainingParameters()


class Compute(Section):
    """The cluster that trains."""

    name: Annotated[Name, Field(description="Name of an AmlCompute cluster of the workspace")] = (
        "gpu-cluster"
    )
    nodes: Annotated[int, Field(ge=1, le=64, description="Nodes per training job")] = 1
    gpus_per_node: Annotated[int, Field(ge=1, le=16)] = 1


class Threshold(Section):
    """Bounds that a metric must keep."""

    max: Annotated[float | None, Field(allow_inf_nan=False)] = None
    min: Annotated[float | None, Field(allow_inf_nan=False)] = None

    @model_validator(mode="after")
    def _some_bound(self) -> "Threshold":
        if self.max is None and self.min is None:
            raise ValueError("give max, min or both")
        return self


class Evaluation(Section):
    """What the trained model's metrics must show before it is registered."""

    thresholds: Annotated[
        dict[str, Threshold],
        Field(max_length=50, description="Bounds by metric; a metric that is missing is a failure"),
    ] = {}


class Endpoint(Section):
    """The managed online endpoint that serves the model."""

    name: Annotated[
        str | None,
        Field(
            pattern=ENDPOINT_NAME,
            description="Unique in the region; left out, it is made from the project's name",
        ),
    ] = None


class RequestSettings(Section):
    """Limits of one scoring request."""

    request_timeout_ms: Annotated[int, Field(ge=1, le=180_000)] = 90_000
    max_concurrent_requests_per_instance: Annotated[int, Field(ge=1, le=1000)] = 1


class LivenessProbe(Section):
    """When the container counts as alive; large models load slowly."""

    initial_delay: Annotated[int, Field(ge=1, le=3600, description="Seconds")] = 600


class Deployment(Section):
    """The deployment behind the endpoint."""

    instance_type: InstanceType = "Standard_NC24ads_A100_v4"
    instance_count: Annotated[int, Field(ge=1, le=50)] = 1
    request_settings: RequestSettings = RequestSettings()
    liveness_probe: LivenessProbe = LivenessProbe()


class Rollout(Section):
    """How traffic moves to a new deployment."""

    strategy: Annotated[
        Literal["blue-green"],
        Field(description="All traffic at once, after the smoke test"),
    ] = "blue-green"
    keep_previous_minutes: Annotated[
        int, Field(ge=0, le=10_080, description="How long the superseded deployment is kept")
    ] = 0


class SmokeTest(Section):
    """The request that a new deployment must answer before it gets traffic."""

    temperature: Annotated[float, Field(ge=0, le=2)] = 0.6
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.9
    do_sample: bool = True
    max_new_tokens: Annotated[int, Field(ge=1, le=4096)] = 200
    attempts: Annotated[int, Field(ge=1, le=10, description="Tries before it counts as failed")] = 3


class Notifications(Section):
    """What people are told about."""

    events: Annotated[
        tuple[Event, ...], Field(description="Turns of a release that are worth a message")
    ] = ("queued", "submitted", "trained", "live", "failed", "torn_down")


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
    notifications: Notifications = Notifications()

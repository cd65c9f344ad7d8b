"""The manifest: what the local cloud provides, as infrastructure code says it for Azure."""

import json
import re
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from localcloud.connection import Connection

PLACEHOLDER = re.compile(r"\$\{(?P<json>json:)?(?P<path>[a-z_.]+)\}")

TopicName = Literal["storage", "workspace"]
TOPICS: tuple[str, ...] = get_args(TopicName)
Name = Annotated[str, Field(min_length=1)]


class ManifestError(Exception):
    """The manifest cannot be read or asks for something that does not exist."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StorageSection(_Section):
    """Blob containers and storage queues to create."""

    containers: list[Name] = []
    queues: list[Name] = []
    in_memory: Annotated[
        bool,
        Field(
            description="Nothing waits for a disk, blobs and queues do not wait for each other, "
            "there are no tables, and nothing is left when it has ended"
        ),
    ] = False


class Compute(_Section):
    """A compute cluster of the workspace."""

    name: Name
    size: Name
    min_nodes: Annotated[int, Field(ge=0)] = 0
    max_nodes: Annotated[int, Field(ge=1)] = 1


class SimulatedCompute(_Section):
    """Nothing is trained and no model is loaded: for tests of load and of faults.

    See `localcloud.simulated`.
    """

    job_seconds: Annotated[float, Field(ge=0, le=3600, description="How long a job takes")] = 0.2
    jobs_at_once: Annotated[int, Field(ge=1, le=1000)] = 200


class Limits(_Section):
    """How much of something Azure allows, which it raises for who asks for it."""

    endpoints: Annotated[int, Field(ge=1)] = 100
    deployments: Annotated[int, Field(ge=1)] = 500


class AdvancedFilter(_Section):
    """What a value of an event has to be; `key` is its path, as `data.api`."""

    operator: Literal["StringIn", "StringNotIn"]
    key: Annotated[str, Field(pattern=r"^data(\.\w+)+$")]
    values: Annotated[list[Name], Field(min_length=1, max_length=25)]


class EventSubscription(_Section):
    """An Event Grid subscription that delivers to an Event Grid function.

    Without ``event_types`` every type matches. The subject filters ignore case, as Azure's do
    unless ``isSubjectCaseSensitive`` is set.
    """

    name: Annotated[str, Field(pattern="^[A-Za-z0-9-]{3,64}$")]
    topic: TopicName
    function: Name
    event_types: list[Name] = []
    subject_begins_with: str = ""
    subject_ends_with: str = ""
    advanced_filters: Annotated[list[AdvancedFilter], Field(max_length=25)] = []
    max_delivery_attempts: Annotated[int, Field(ge=1, le=30)] = 30
    event_time_to_live_minutes: Annotated[int, Field(ge=1, le=1440)] = 1440


class Webhook(_Section):
    """A webhook of the repository: a path of the Functions host and the events it wants."""

    path: Annotated[str, Field(pattern="^/")]
    events: list[Name] = ["push"]


RepositoryName = Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]


class GitHubSection(_Section):
    """The repositories with their webhooks, which are the same; the first is the main one."""

    repository: RepositoryName
    more_repositories: list[RepositoryName] = []
    branch: Name = "main"
    webhooks: list[Webhook] = []

    @model_validator(mode="after")
    def _repositories_differ(self) -> Self:
        names = [name.lower() for name in (self.repository, *self.more_repositories)]
        if len(set(names)) < len(names):
            raise ValueError("two repositories have the same name")
        return self


class Manifest(_Section):
    """Everything that the local cloud provides for one application."""

    tenant_id: Name
    subscription_id: Name
    resource_group: Name
    workspace: Name
    location: Name
    storage: StorageSection = StorageSection()
    computes: list[Compute] = []
    quotas: Annotated[
        dict[Name, Annotated[int, Field(ge=0)]],
        Field(
            description="Cores allowed by family of sizes, TotalDedicatedCores and "
            "TotalLowPriorityCores; what is left out has plenty"
        ),
    ] = {}
    limits: Limits = Limits()
    simulated_compute: Annotated[
        SimulatedCompute | None,
        Field(description="Pretends to train and to serve; without it both are done"),
    ] = None
    event_subscriptions: list[EventSubscription] = []
    functions_apart: Annotated[
        bool,
        Field(
            description="Queue and timer functions have a process of their own, as their instances "
            "are others than those of HTTP functions in Flex Consumption; it and what stands in "
            "for the workspace have the time that all others leave"
        ),
    ] = False
    event_retry_factor: Annotated[
        float, Field(gt=0, description="Pauses between deliveries, as a part of Azure's (10 s up)")
    ] = 0.05
    metrics_delay_seconds: Annotated[
        float,
        Field(ge=0, description="From a minute's start until its metrics are seen; Azure: minutes"),
    ] = 0
    github: GitHubSection
    app_settings: dict[str, str] = {}

    @field_validator("event_subscriptions")
    @classmethod
    def _names_differ(cls, subscriptions: list[EventSubscription]) -> list[EventSubscription]:
        names = [subscription.name.lower() for subscription in subscriptions]
        if len(set(names)) < len(names):
            raise ValueError("two event subscriptions have the same name")
        return subscriptions

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a manifest file.

        Raises:
            ManifestError: the file is missing, is not YAML, or has a wrong or unknown key.
        """
        try:
            document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
            return cls.model_validate(document)
        except (OSError, UnicodeDecodeError) as error:
            raise ManifestError(f"{path}: {error}") from None
        except yaml.YAMLError as error:
            raise ManifestError(f"{path} is not YAML: {error}") from None
        except ValidationError as error:
            raise ManifestError(f"{path}: {_describe(error)}") from None

    def app_environment(self, connection: Connection) -> dict[str, str]:
        """The app settings with their ``${dotted.path}`` placeholders filled in.

        Raises:
            ManifestError: a placeholder names nothing in the connection.
        """
        return {name: _fill(name, text, connection) for name, text in self.app_settings.items()}


def _describe(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'the document'}: {problem['msg']}"
        for problem in error.errors()
    )


def _fill(name: str, text: str, connection: Connection) -> str:
    def value(match: re.Match[str]) -> str:
        try:
            found = connection.lookup(match["path"])
        except KeyError:
            raise ManifestError(
                f"app_settings.{name}: connection.json has no {match['path']!r}"
            ) from None
        if isinstance(found, str) and not match["json"]:
            return found
        return json.dumps(found)

    return PLACEHOLDER.sub(value, text)

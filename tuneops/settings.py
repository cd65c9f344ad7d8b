"""Settings of a running TuneOps, read once from the environment.

Azure Functions gives every app setting to the process as an environment variable, so the same
names serve in Azure, under ``func start`` and in the local cloud.
"""

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from tuneops.hosting import own_address
from tuneops.sources import (
    MAX_SOURCES,
    Branch,
    ConfigSource,
    Pattern,
    Repository,
    check_sources,
)

if TYPE_CHECKING:
    from azure.identity import DefaultAzureCredential

AUTHORITIES = {
    "AzureCloud": "login.microsoftonline.com",
    "AzureChinaCloud": "login.chinacloudapi.cn",
    "AzureUSGovernment": "login.microsoftonline.us",
}
"""Where each cloud signs in."""

RESOURCE_MANAGERS = {
    "AzureCloud": "https://management.azure.com",
    "AzureChinaCloud": "https://management.chinacloudapi.cn",
    "AzureUSGovernment": "https://management.usgovcloudapi.net",
}
"""Where each cloud manages its resources."""

STUDIOS = {
    "AzureCloud": "https://ml.azure.com",
    "AzureChinaCloud": "https://studio.ml.azure.cn",
    "AzureUSGovernment": "https://ml.azure.us",
}
"""Where each cloud shows its workspaces."""

CONFIG_JSON = (Path("config.json"), Path(".azureml/config.json"))
MAX_CONFIG_JSON_BYTES = 64 * 1024


class WorkspaceSettings(BaseSettings):
    """Which workspace, in which cloud.

    What the environment does not say of it is taken from the ``config.json`` that the Azure ML
    studio offers for download, if it lies in the working folder or in ``.azureml/`` there.
    """

    model_config = SettingsConfigDict(env_prefix="TUNEOPS_", populate_by_name=True, frozen=True)

    subscription_id: str
    resource_group: str
    workspace: str

    cloud: str = Field(
        "AzureCloud",
        description="Name of the cloud: AzureCloud, AzureChinaCloud, AzureUSGovernment or your own",
    )
    cloud_metadata: dict[str, str] | None = Field(
        None,
        description="Endpoints of a cloud of your own, as MLClient's cloud_metadata takes them",
    )

    @property
    def authority(self) -> str | None:
        """The host that signs in; None for a cloud of your own, whose environment says it."""
        return AUTHORITIES.get(self.cloud)

    @property
    def resource_manager(self) -> str:
        """The address of Azure Resource Manager."""
        own = (self.cloud_metadata or {}).get("resource_manager")
        return own or RESOURCE_MANAGERS.get(self.cloud, RESOURCE_MANAGERS["AzureCloud"])

    @property
    def studio(self) -> str:
        """The address of the studio."""
        return STUDIOS.get(self.cloud, STUDIOS["AzureCloud"])

    @model_validator(mode="after")
    def _known_cloud(self) -> Self:
        if self.cloud not in AUTHORITIES and not self.cloud_metadata:
            known = ", ".join(AUTHORITIES)
            raise ValueError(f"cloud is {self.cloud}: give {known}, or set cloud_metadata as well")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments before the environment before config.json."""
        downloaded = InitSettingsSource(settings_cls, read_config_json())
        return init_settings, env_settings, downloaded


class Settings(WorkspaceSettings):
    """What a running TuneOps works with: the storage account and the repository as well."""

    model_config = SettingsConfigDict(env_ignore_empty=True, hide_input_in_errors=True)

    storage_connection_string: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("AzureWebJobsStorage", "storage_connection_string"),
        description="Connection string; leave it out to use the identity and the service URIs",
    )
    blob_service_uri: str | None = Field(
        None,
        validation_alias=AliasChoices("AzureWebJobsStorage__blobServiceUri", "blob_service_uri"),
    )
    queue_service_uri: str | None = Field(
        None,
        validation_alias=AliasChoices("AzureWebJobsStorage__queueServiceUri", "queue_service_uri"),
    )
    datasets_container: str = "datasets"
    prepared_container: str = "prepared"
    state_container: str = "tuneops"
    reconcile_queue: str = "reconcile"
    deliver_queue: str = "deliver"

    github_api_url: str = "https://api.github.com"
    github_repository: Repository | None = Field(
        None, description="owner/name of the one repository that holds configs"
    )
    github_branch: Branch = "main"
    config_files: Pattern = "finetune/**"
    sources: Annotated[
        tuple[ConfigSource, ...],
        NoDecode,
        Field(
            max_length=MAX_SOURCES,
            description="A JSON list of several repositories or branches, in place of these three",
        ),
    ] = ()
    github_app_id: str = Field("", description="Id or client id of a GitHub App, the preferred way")
    github_app_private_key: SecretStr = Field(
        SecretStr(""),
        description="A private key of the App, as PEM; line breaks may be written \\n",
    )
    github_installation_id: int | None = Field(
        None, description="The App's installation; looked up by the repository when left out"
    )
    github_token: SecretStr | None = Field(None, description="A token, where there is no App")
    github_webhook_secret: SecretStr

    notify_urls: Annotated[
        list[SecretStr], Field(description="apprise URLs that every notification goes to")
    ] = []
    channels: SecretStr = Field(
        SecretStr(""),
        description="A JSON list of the ways to people: docs/notifications.md",
    )

    page_url: Annotated[
        str,
        Field(
            pattern=r"^(https?://[^/?#\s]+)?$",
            description="Where people reach the page; in Azure the app's own address",
        ),
    ] = Field(default_factory=lambda: own_address(os.environ))
    page_reader_role: Annotated[
        str,
        Field(
            max_length=120,
            description="The app role of Entra ID that may look at the page; left out, everybody "
            "who has signed in",
        ),
    ] = ""

    log_format: Literal["text", "json"] = Field(
        "text", description="How log lines are written: docs/telemetry.md"
    )
    trace_sample: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="The share of the traces of timers and of reading that is kept; what leads "
            "to a release always is",
        ),
    ] = 0.1
    poll_seconds: Annotated[
        int, Field(ge=1, le=3600, description="How often a running job or deployment is looked at")
    ] = 60
    metrics_delay_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=3600,
            description="How long after a minute's start its metrics are complete: Azure has those "
            "of its platform within a minute, and one more is left for requests that last",
        ),
    ] = 180
    sweep: Literal["delete", "report", "off"] = Field(
        "delete",
        description="What becomes of resources of ours that belong to nothing, once people know",
    )
    sweep_grace_hours: Annotated[
        int, Field(ge=1, le=2160, description="How long they stay unused before they are deleted")
    ] = 72
    max_upload_bytes: Annotated[
        int, Field(gt=0, description="Largest dataset that is prepared inside a function")
    ] = 2 * 1024**3
    data_processes: Annotated[
        int, Field(ge=1, le=64, description="How many processes check rows at the same time")
    ] = Field(default_factory=lambda: min(os.cpu_count() or 1, 4))

    @property
    def config_sources(self) -> tuple[ConfigSource, ...]:
        """Where configs come from: `sources`, or the one repository that is set without them."""
        if self.sources or self.github_repository is None:
            return self.sources
        return (
            ConfigSource(
                repository=self.github_repository,
                branch=self.github_branch,
                configs=self.config_files,
            ),
        )

    def source(self, environment: str) -> ConfigSource | None:
        """The source of an environment, None when the settings name it no longer."""
        found = (each for each in self.config_sources if each.environment == environment)
        return next(found, None)

    @field_validator("page_url", mode="before")
    @classmethod
    def _without_slash(cls, value: object) -> object:
        return value.rstrip("/") if isinstance(value, str) else value

    @field_validator("sources", mode="before")
    @classmethod
    def _from_json(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"TUNEOPS_SOURCES must be a JSON list ({error})") from error

    @model_validator(mode="after")
    def _sources_fit(self) -> Self:
        one = {"github_repository", "github_branch", "config_files"} & self.model_fields_set
        if self.sources and one:
            names = ", ".join(sorted(f"TUNEOPS_{name.upper()}" for name in one))
            raise ValueError(f"{names} stand beside TUNEOPS_SOURCES: say it there and remove them")
        if not self.config_sources:
            raise ValueError(
                "no repository is set: set TUNEOPS_GITHUB_REPOSITORY, or TUNEOPS_SOURCES"
            )
        check_sources(self.sources)
        if self.github_installation_id and len({each.owner for each in self.sources}) > 1:
            raise ValueError(
                "TUNEOPS_GITHUB_INSTALLATION_ID is one owner's, TUNEOPS_SOURCES has several: leave "
                "the installation out, it is looked up"
            )
        return self

    @model_validator(mode="after")
    def _one_way_into_github(self) -> Self:
        needed = {
            "TUNEOPS_GITHUB_APP_ID": self.github_app_id,
            "TUNEOPS_GITHUB_APP_PRIVATE_KEY": self.github_app_private_key,
        }
        missing = [name for name, value in needed.items() if not value]
        app, token = " and ".join(needed), "TUNEOPS_GITHUB_TOKEN"
        as_app = len(missing) < len(needed) or self.github_installation_id is not None
        if as_app and self.github_token:
            raise ValueError(
                f"{token} is set beside an App: remove the token (preferred), or {app}"
            )
        if as_app and missing:
            raise ValueError(f"the GitHub App is set by half: set {' and '.join(missing)} as well")
        if not as_app and not self.github_token:
            raise ValueError(f"no way into GitHub is set: set {app} (preferred), or {token}")
        return self


def read_config_json() -> dict[str, Any]:
    """The workspace that ``config.json`` names, empty when there is none.

    Raises:
        ValueError: the file is not what the studio writes.
    """
    path = next((path for path in CONFIG_JSON if path.is_file()), None)
    if path is None:
        return {}
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(MAX_CONFIG_JSON_BYTES))
        return {
            "subscription_id": found["subscription_id"],
            "resource_group": found["resource_group"],
            "workspace": found["workspace_name"],
        }
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} must be a JSON object with subscription_id, resource_group and workspace_name"
        ) from error


@lru_cache(maxsize=1)
def get_settings(**overrides: Any) -> Settings:
    """The process's settings.

    Raises:
        pydantic.ValidationError: a setting is missing or has a wrong value.
    """
    return Settings(**overrides)


def credential(settings: WorkspaceSettings) -> "DefaultAzureCredential":
    """The app's identity: the managed one in Azure, your own login elsewhere."""
    from azure.identity import DefaultAzureCredential

    known = {"authority": settings.authority} if settings.authority else {}
    return DefaultAzureCredential(**known)

"""Settings of a running TuneOps, read once from the environment.

Azure Functions gives every app setting to the process as an environment variable, so the same
names serve in Azure, under ``func start`` and in the local cloud.
"""

from functools import lru_cache
from typing import Annotated, Any

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where the workspace, the storage account and the repository are, and how to reach them."""

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

    github_api_url: str = "https://api.github.com"
    github_repository: str = Field(description="owner/name of the repository that holds finetune/")
    github_branch: str = "main"
    github_token: SecretStr
    github_webhook_secret: SecretStr
    config_folder: str = "finetune"

    notify_urls: Annotated[
        list[SecretStr], Field(description="apprise URLs that every notification goes to")
    ] = []

    poll_seconds: Annotated[
        int, Field(ge=1, le=3600, description="How often a running job or deployment is looked at")
    ] = 60
    max_upload_bytes: Annotated[
        int, Field(gt=0, description="Largest dataset that is prepared inside a function")
    ] = 2 * 1024**3


@lru_cache(maxsize=1)
def get_settings(**overrides: Any) -> Settings:
    """The process's settings.

    Raises:
        pydantic.ValidationError: a setting is missing or has a wrong value.
    """
    return Settings(**overrides)

"""The one workspace that is served: its ids, addresses and folders."""

import uuid
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from localcloud.azureml.arm import PROVIDER
from localcloud.connection import Connection

DATASTORE, ARTIFACT_STORE = "workspaceblobstore", "workspaceartifactstore"
ARTIFACT_CONTAINER = "azureml"
CODE_CONTAINER = "code-"
API_VERSION = "2024-10-01-preview"

# From a portal's name azure-ai-ml derives the audience of its tokens: https://ml.azure.SUFFIX.
PORTAL, AML_RESOURCE = "https://portal.azure.localhost/", "https://ml.azure.localhost"


@dataclass(frozen=True)
class Site:
    """Names and places of the workspace, derived from the connection."""

    connection: Connection

    @property
    def folder(self) -> Path:
        """Where the workspace keeps its records and files."""
        return self.connection.state_dir / "azureml"

    @property
    def logs(self) -> Path:
        """Where the scoring processes write their output."""
        return self.connection.state_dir / "logs"

    @property
    def url(self) -> str:
        """The server's address, without a slash at its end."""
        return self.connection.azureml_url.rstrip("/")

    @property
    def subscription_path(self) -> str:
        """The ARM id of the subscription."""
        return f"/subscriptions/{self.connection.subscription_id}"

    @property
    def group_path(self) -> str:
        """The ARM id of the resource group."""
        return f"{self.subscription_path}/resourceGroups/{self.connection.resource_group}"

    @property
    def workspace_path(self) -> str:
        """The ARM id of the workspace."""
        return f"{self.group_path}/providers/{PROVIDER}/workspaces/{self.connection.workspace}"

    @property
    def storage_path(self) -> str:
        """The ARM id of the storage account."""
        account = self.connection.storage.account
        return f"{self.group_path}/providers/Microsoft.Storage/storageAccounts/{account}"

    @property
    def registry_uri(self) -> str:
        """How assets of the registry are addressed."""
        return f"azureml://registries/{self.connection.registry}"

    @property
    def workspace_id(self) -> str:
        """The workspace's GUID, the same after every restart."""
        return self.guid("workspace")

    @property
    def mlflow_uri(self) -> str:
        """The tracking URI, as the workspace reports it."""
        host = urlsplit(self.url).netloc
        return f"azureml://{host}/mlflow/v1.0{self.workspace_path}"

    def artifact_uri(self, experiment: str, run: str) -> str:
        """Where MLflow says that a run's artifacts are."""
        return f"{self.mlflow_uri}/experiments/{experiment}/runs/{run}/artifacts"

    def guid(self, *names: str) -> str:
        """A GUID that depends on nothing but the workspace and the names."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join([self.workspace_path, *names])))

    def step_run(self, job: str, step: str) -> str:
        """The id of the run of a job's step."""
        return self.guid("jobs", job, "steps", step)

    def experiment_id(self, experiment: str) -> str:
        """The id of an experiment."""
        return self.guid("experiments", experiment)

    def datastore_folder(self, path: str) -> Path:
        """The local folder or file of a path in the workspace's own datastore."""
        return self.folder / DATASTORE / path

    @property
    def account_url(self) -> str:
        """The storage account as the SDK addresses it; requests pass through this server.

        The SDK makes the address `https://ACCOUNT.blob.SUFFIX`, and no such host resolves to this
        machine. So what it takes for the account's name holds this server's address.
        """
        suffix = self.connection.cloud.metadata.storage_endpoint
        return f"https://{self.account_name}.blob.{suffix}"

    @property
    def account_name(self) -> str:
        """What the datastores give out as the account's name; see `account_url`."""
        return f"{urlsplit(self.url).netloc}/storage/{self.connection.storage.account}"

    @property
    def containers(self) -> dict[str, str]:
        """The container of each datastore that every workspace has."""
        return {DATASTORE: self.datastore_container, ARTIFACT_STORE: ARTIFACT_CONTAINER}

    @property
    def datastore_container(self) -> str:
        """The container that holds what callers upload to the workspace's own datastore."""
        return f"azureml-blobstore-{self.workspace_id}"

    def blob_url(self, path: str) -> str:
        """The storage account's own address of a container's name and a path in it."""
        return f"{self.connection.storage.blob_url.rstrip('/')}/{quote(path)}"

    def datastore_uri(self, path: str, datastore: str = DATASTORE) -> str:
        """The URI of a path in a datastore."""
        connection = self.connection
        return (
            f"azureml://subscriptions/{connection.subscription_id}"
            f"/resourceGroups/{connection.resource_group}/workspaces/{connection.workspace}"
            f"/datastores/{datastore}/paths/{path}"
        )

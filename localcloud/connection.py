"""How to reach every part of a running local cloud: the document ``STATE/connection.json``."""

import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

FILE_NAME = "connection.json"


class ConnectionUnavailableError(Exception):
    """There is no usable connection.json in the state directory."""


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CloudMetadata(_Document):
    """Endpoints of the cloud, under the names that azure-ai-ml's ``cloud_metadata`` gives them."""

    azure_portal: str
    resource_manager: str
    active_directory: str
    aml_resource_id: str
    storage_endpoint: str
    registry_discovery_endpoint: str


class Cloud(_Document):
    """The cloud by name, as ``MLClient(cloud=..., cloud_metadata=...)`` takes it."""

    name: str
    metadata: CloudMetadata


class Identity(_Document):
    """App Service's managed identity endpoint and the key that signs its tokens (HS256)."""

    endpoint: str
    header: str
    signing_key: str


class Storage(_Document):
    """The storage account; whoever has a token, and no key, goes through the doors."""

    account: str
    connection_string: str
    blob_url: str
    queue_url: str
    door_blob_url: str = ""
    door_queue_url: str = ""


class Functions(_Document):
    """The Functions host: its host key, and the system key of its Event Grid webhook."""

    base_url: str
    key: str
    eventgrid_key: str


class Topic(_Document):
    """An Event Grid topic."""

    endpoint: str
    key: str


class EventGrid(_Document):
    """The Event Grid topics by name."""

    topics: dict[str, Topic]


class GitHubApp(_Document):
    """The App with its private key as PEM, and its installation at the main repository's owner.

    `installations` has those at all owners.
    """

    id: int
    client_id: str
    slug: str
    installation_id: int
    installations: dict[str, int]
    private_key: str


class GitHub(_Document):
    """The GitHub API and the main bare repository behind it; the token is its owner's.

    `repositories` has the paths of all repositories by their names, the main one first.
    """

    api_url: str
    repository: str
    branch: str
    token: str
    app: GitHubApp
    webhook_secret: str
    repository_path: Path
    repositories: dict[str, Path]


class Ports(_Document):
    """TCP ports on 127.0.0.1."""

    azurite_blob: int
    azurite_queue: int
    azurite_table: int
    platform: int
    inbox: int
    azureml: int
    functions: int


class Connection(_Document):
    """Addresses, names and keys of one local cloud."""

    state_dir: Path
    app_dir: Path
    cache_dir: Path
    manifest_file: Path
    tenant_id: str
    subscription_id: str
    resource_group: str
    workspace: str
    location: str
    registry: str
    cloud: Cloud
    ca_file: Path
    ca_bundle: Path
    server_cert: Path
    azureml_url: str
    platform_url: str
    identity: Identity
    storage: Storage
    functions: Functions
    eventgrid: EventGrid
    github: GitHub
    inbox_url: str
    compute_key: str
    ports: Ports

    @classmethod
    def load(cls, state_dir: Path | str) -> Self:
        """Read ``state_dir/connection.json``.

        Raises:
            ConnectionUnavailableError: the file is missing or is not what this version writes.
        """
        path = Path(state_dir) / FILE_NAME
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise ConnectionUnavailableError(
                f"{path} does not exist; start the local cloud with: python -m localcloud up"
            ) from None
        except ValidationError as error:
            raise ConnectionUnavailableError(f"{path} cannot be read: {error}") from None

    def save(self) -> None:
        """Write ``connection.json`` at once, readable by its owner only."""
        write_private(self.state_dir / FILE_NAME, self.model_dump_json(indent=2) + "\n")

    def lookup(self, path: str) -> object:
        """The value at a dotted path such as ``storage.connection_string``, as plain JSON data.

        Raises:
            KeyError: there is no such field.
        """
        value: object = self.model_dump(mode="json")
        for name in path.split("."):
            if not isinstance(value, dict) or name not in value:
                raise KeyError(path)
            value = value[name]
        return value


def write_private(path: Path, text: str) -> None:
    """Replace a file at once, with mode 0600."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)

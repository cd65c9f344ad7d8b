"""Writes connection.json: decides on addresses, and makes keys at the first start."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic_core import from_json

from localcloud.connection import (
    FILE_NAME,
    Cloud,
    CloudMetadata,
    Connection,
    EventGrid,
    Functions,
    GitHub,
    GitHubApp,
    Identity,
    Ports,
    Storage,
    Topic,
)
from localcloud.manifest import TOPICS, GitHubSection, Manifest
from localcloud.process import LOOPBACK, free_ports
from localcloud.tls import ensure_tls

REGISTRY = "azureml"
CLOUD = "LocalCloud"
APP_ID = 1001
APP_CLIENT_ID = "Iv23localcloud"
APP_SLUG = "tuneops"
INSTALLATION_ID = 2002

# Azurite's built-in account; its key is public.
# https://learn.microsoft.com/azure/storage/common/storage-connect-azurite
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


def provision(state_dir: Path, app_dir: Path, cache_dir: Path, manifest_file: Path) -> Connection:
    """Prepare the state directory for a start and write its connection.json.

    Ports are kept while they are free, keys and certificates always.

    Raises:
        ManifestError: the manifest cannot be used.
    """
    manifest = Manifest.load(manifest_file)
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    cache_dir.mkdir(parents=True, exist_ok=True)
    previous = _previous(state_dir)
    ports = Ports(**free_ports(Ports.model_fields, previous.get("ports")))
    keys = _Keys(previous)
    repositories = _repositories(state_dir, manifest.github)
    owners = dict.fromkeys(name.split("/")[0] for name in repositories)
    tls = ensure_tls(state_dir / "tls")
    azureml_url = f"https://localhost:{ports.azureml}"
    platform_url = f"http://{LOOPBACK}:{ports.platform}"
    connection = Connection(
        state_dir=state_dir,
        app_dir=app_dir,
        cache_dir=cache_dir,
        manifest_file=manifest_file,
        tenant_id=manifest.tenant_id,
        subscription_id=manifest.subscription_id,
        resource_group=manifest.resource_group,
        workspace=manifest.workspace,
        location=manifest.location,
        registry=REGISTRY,
        cloud=_cloud(azureml_url, ports.azureml),
        ca_file=tls.ca,
        ca_bundle=tls.ca_bundle,
        server_cert=tls.server,
        azureml_url=azureml_url,
        platform_url=platform_url,
        identity=Identity(
            endpoint=f"{platform_url}/msi/token",
            header=keys.keep("identity.header"),
            signing_key=keys.keep("identity.signing_key"),
        ),
        storage=_storage(ports),
        functions=Functions(
            base_url=f"http://{LOOPBACK}:{ports.functions}",
            key=keys.keep("functions.key"),
            eventgrid_key=keys.keep("functions.eventgrid_key"),
        ),
        eventgrid=EventGrid(
            topics={
                name: Topic(
                    endpoint=f"{platform_url}/eventgrid/{name}/api/events",
                    key=keys.keep(f"eventgrid.topics.{name}.key"),
                )
                for name in TOPICS
            }
        ),
        github=GitHub(
            api_url=f"{platform_url}/github",
            repository=manifest.github.repository,
            branch=manifest.github.branch,
            token=keys.keep("github.token"),
            app=GitHubApp(
                id=APP_ID,
                client_id=APP_CLIENT_ID,
                slug=APP_SLUG,
                installation_id=INSTALLATION_ID,
                installations={owner: INSTALLATION_ID + n for n, owner in enumerate(owners)},
                private_key=keys.keep("github.app.private_key", _rsa_key),
            ),
            webhook_secret=keys.keep("github.webhook_secret"),
            repository_path=repositories[manifest.github.repository],
            repositories=repositories,
        ),
        inbox_url=f"http://{LOOPBACK}:{ports.inbox}/inbox",
        compute_key=keys.keep("compute_key"),
        ports=ports,
    )
    manifest.app_environment(connection)
    connection.save()
    return connection


def _repositories(state_dir: Path, github: GitHubSection) -> dict[str, Path]:
    """Where the bare repositories are, the main one first."""
    names = (github.repository, *github.more_repositories)
    return {name: state_dir / "github" / f"{name}.git" for name in names}


def _previous(state_dir: Path) -> dict[str, Any]:
    """The connection.json of the last start, of whatever version; empty when there is none."""
    try:
        found = from_json((state_dir / FILE_NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class _Keys:
    """The keys of the last start, and new ones where there are none."""

    def __init__(self, previous: dict[str, Any]) -> None:
        self._previous = previous

    def keep(self, path: str, make: Callable[[], str] = lambda: secrets.token_urlsafe(32)) -> str:
        """The key at this dotted path of connection.json."""
        value: Any = self._previous
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return value if isinstance(value, str) else make()


def _rsa_key() -> str:
    """A private key in the form that GitHub makes for an App."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return pem.decode()


def _cloud(azureml_url: str, port: int) -> Cloud:
    """The cloud for the SDK, which keeps the first of a name for the life of its process."""
    return Cloud(
        name=f"{CLOUD}{port}",
        metadata=CloudMetadata(
            azure_portal=f"{azureml_url}/",
            resource_manager=f"{azureml_url}/",
            active_directory=f"{azureml_url}/",
            aml_resource_id=f"{azureml_url}/",
            storage_endpoint="localhost",
            registry_discovery_endpoint=f"{azureml_url}/",
        ),
    )


def _storage(ports: Ports) -> Storage:
    blob_url = f"http://{LOOPBACK}:{ports.azurite_blob}/{ACCOUNT}"
    queue_url = f"http://{LOOPBACK}:{ports.azurite_queue}/{ACCOUNT}"
    table_url = f"http://{LOOPBACK}:{ports.azurite_table}/{ACCOUNT}"
    return Storage(
        account=ACCOUNT,
        connection_string=(
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};"
            f"BlobEndpoint={blob_url};QueueEndpoint={queue_url};TableEndpoint={table_url};"
        ),
        blob_url=blob_url,
        queue_url=queue_url,
        door_blob_url=f"https://localhost:{ports.azureml}/{ACCOUNT}",
        door_queue_url=f"https://{LOOPBACK}:{ports.azureml}/{ACCOUNT}",
    )

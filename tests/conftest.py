"""Fixtures: one local cloud for the whole run, started when a test first needs it."""

import json
import os
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from tests.cloud import Cloud
    from tests.faults import Faults
    from tuneops.azureml.workspace import Workspace
    from tuneops.services import Services

SOURCES = [
    {"environment": "", "repository": "contoso/models"},
    {"environment": "production", "repository": "contoso/models", "configs": "both/**"},
    {
        "environment": "staging",
        "repository": "contoso/models",
        "branch": "staging",
        "configs": "both/**",
    },
]
"""A repository as most have it, and one folder of it with an environment for each branch."""
LARGE_BYTES = 20_000
"""Above this a job prepares the data."""
CLUSTERS = [
    {"name": "gpu-cluster", "size": "Standard_NC24ads_A100_v4", "max_nodes": 1},
    {"name": "cpu-cluster", "size": "Standard_DS3_v2", "max_nodes": 1},
    {"name": "t4-cluster", "size": "Standard_NC4as_T4_v3", "max_nodes": 4},
]
QUOTAS = {
    "standardNDSH100v5Family": 96,
    "StandardNCadsH100v5Family": 120,
    "TotalLowPriorityCores": 48,
}


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Cloud"]:
    """A local cloud with TuneOps in it, which looks after `SOURCES`."""
    from tests.cloud import ROOT, Cloud

    state = tmp_path_factory.mktemp("cloud")
    manifest = yaml.safe_load((ROOT / "infra" / "local.yaml").read_text())
    settings = manifest["app_settings"]
    del settings["TUNEOPS_GITHUB_REPOSITORY"], settings["TUNEOPS_GITHUB_BRANCH"]
    settings["TUNEOPS_SOURCES"] = json.dumps(SOURCES)
    settings["TUNEOPS_MAX_UPLOAD_BYTES"] = str(LARGE_BYTES)
    (state / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    running = Cloud(state)
    running.up("--manifest", str(state / "manifest.yaml"))
    running.branch("staging")
    yield running
    running.down()


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of an Azurite."""
    from tests.cloud import Cloud

    running = Cloud(tmp_path_factory.mktemp("storage"))
    running.up("--parts", "storage")
    yield running.connection["storage"]["connection_string"]
    running.down()


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Cloud"]:
    """A workspace with some clusters, little quota for H100s and low priority, and no node."""
    from tests.cloud import ROOT, Cloud
    from tuneops.cli.target import use_local_identity

    state = tmp_path_factory.mktemp("azure")
    manifest = yaml.safe_load((ROOT / "infra" / "local.yaml").read_text())
    manifest |= {"computes": CLUSTERS, "quotas": QUOTAS}
    (state / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    cloud = Cloud(state)
    before = dict(os.environ)
    cloud.up("--parts", "storage,platform,azureml", "--manifest", str(state / "manifest.yaml"))
    use_local_identity(cloud.connection)
    yield cloud
    cloud.down()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def workspace(azure: "Cloud") -> "Workspace":
    """The product's connection to that workspace."""
    from tuneops.azureml.workspace import Workspace
    from tuneops.cli.target import local_workspace

    return Workspace(local_workspace(azure.connection))


@pytest.fixture
def faults(azure: "Cloud") -> Iterator["Faults"]:
    """What is to go wrong in that workspace; forgotten afterwards."""
    from tests.faults import Faults

    wanted = Faults(azure.connection)
    yield wanted
    wanted.close()


@pytest.fixture
def services(storage: str) -> "Services":
    """What TuneOps works with, in empty containers and an empty queue of its own."""
    return _services(storage, subscription_id="s", resource_group="g", workspace="w")


@pytest.fixture
def working(azure: "Cloud") -> "Services":
    """What TuneOps works with in that workspace, its storage account and its GitHub."""
    from tuneops.cli.target import local_workspace

    github = azure.connection["github"]
    return _services(
        azure.connection["storage"]["connection_string"],
        **local_workspace(azure.connection).model_dump(),
        github_api_url=github["api_url"],
        github_repository=github["repository"],
        github_token=github["token"],
    )


def _services(storage: str, **settings: Any) -> "Services":
    from azure.storage.queue import QueueClient

    from tuneops.services import Services
    from tuneops.settings import Settings

    own = uuid.uuid4().hex[:8]
    common = {"github_repository": "contoso/models", "github_token": "token"}
    made = Services(
        Settings(
            storage_connection_string=storage,
            state_container=f"state-{own}",
            datasets_container=f"datasets-{own}",
            prepared_container=f"prepared-{own}",
            reconcile_queue=f"reconcile-{own}",
            github_webhook_secret="secret",
            **{**common, **settings},
        )
    )
    made.blobs.create_container(made.settings.state_container)
    made.blobs.create_container(made.settings.datasets_container)
    made.blobs.create_container(made.settings.prepared_container)
    QueueClient.from_connection_string(storage, made.settings.reconcile_queue).create_queue()
    return made


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)

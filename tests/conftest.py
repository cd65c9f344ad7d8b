"""Fixtures: a storage account for the whole run, a workspace for each module that needs one."""

import os
import sys
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import Phase, settings

if TYPE_CHECKING:
    from tests.cloud import Cloud
    from tests.faults import Faults
    from tuneops.azureml.workspace import Workspace
    from tuneops.services import Services

settings.register_profile(
    "steady",
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
)
"""Always the same examples, however slow, and no smaller one where one fails: for what measures the
tests themselves."""
CLUSTERS = [
    {"name": "gpu-cluster", "size": "Standard_NC24ads_A100_v4", "max_nodes": 1},
    {"name": "cpu-cluster", "size": "Standard_DS3_v2", "max_nodes": 1},
    {"name": "t4-cluster", "size": "Standard_NC4as_T4_v3", "max_nodes": 4},
]
TRAINS_FIRST = "test_loop.py"
FILES_BEFORE_THE_OTHERS = 30
QUOTAS = {
    "standardNDSH100v5Family": 96,
    "StandardNCadsH100v5Family": 120,
    "TotalLowPriorityCores": 48,
}


@pytest.fixture(scope="session", autouse=True)
def ports_of_its_own() -> None:
    """Each worker has a part of the ports: one that is free when it is chosen stays free."""
    from localcloud.process import PORT_RANGE, PORTS

    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        share = len(PORT_RANGE) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        first = PORT_RANGE.start + share * int(worker.removeprefix("gw"))
        os.environ[PORTS] = f"{first}-{first + share - 1}"


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Cloud"]:
    """A storage account alone."""
    from tests.cloud import Cloud

    running = Cloud(tmp_path_factory.mktemp("storage"))
    running.up("--parts", "storage")
    yield running
    running.down()


@pytest.fixture(scope="session")
def storage(account: "Cloud") -> str:
    """Its connection string."""
    return str(account.connection["storage"]["connection_string"])


@pytest.fixture(scope="module")
def azure(account: "Cloud", tmp_path_factory: pytest.TempPathFactory) -> Iterator["Cloud"]:
    """A workspace with some clusters, little quota for H100s and low priority, and no node."""
    from tests.beside import cloud_beside
    from tests.cloud import ROOT
    from tuneops.cli.target import use_local_identity

    manifest = yaml.safe_load((ROOT / "infra" / "local.yaml").read_text())
    manifest |= {"computes": CLUSTERS, "quotas": QUOTAS}
    before = dict(os.environ)
    state, parts = tmp_path_factory.mktemp("azure"), ("platform", "azureml")
    with cloud_beside(account, state, manifest, *parts) as cloud:
        use_local_identity(cloud.connection)
        _let_mlflow_know_the_cloud()
        yield cloud
    os.environ.clear()
    os.environ.update(before)


def _let_mlflow_know_the_cloud() -> None:
    """Azure ML's plugin for MLflow learns the clouds when it is loaded, once in a process."""
    if plugin := sys.modules.get("azureml.mlflow._common._cloud.cloud"):
        plugin.KNOWN_CLOUDS = plugin.get_known_clouds()


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
            deliver_queue=f"deliver-{own}",
            github_webhook_secret="secret",
            **{**common, **settings},
        )
    )
    made.blobs.create_container(made.settings.state_container)
    made.blobs.create_container(made.settings.datasets_container)
    made.blobs.create_container(made.settings.prepared_container)
    for name in (made.settings.reconcile_queue, made.settings.deliver_queue):
        QueueClient.from_connection_string(storage, name).create_queue()
    return made


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Fast tests first; side by side, what takes longest, so that no worker is left with it.

    Of the end-to-end tests one file begins, and files without storage go beside it: what the others
    wait for, as Azurite and a base model, is made meanwhile.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    if not hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
        return
    whole_loop = {item.path for item in items if item.path.parent.name == "e2e"}
    long = sorted(whole_loop, key=lambda path: (path.name != TRAINS_FIRST, path))
    stored = {item.path for item in items if "account" in getattr(item, "fixturenames", ())}
    fast = sorted({item.path for item in items} - slow, key=lambda path: (path in stored, path))
    first = [*long[:1], *fast[:FILES_BEFORE_THE_OTHERS], *long[1:], *sorted(slow)]
    place = {path: number for number, path in reversed([*enumerate([*first, *fast])])}

    def order(item: pytest.Item) -> tuple[int, bool]:
        return place[item.path], item.get_closest_marker("slow") is not None

    items.sort(key=order)

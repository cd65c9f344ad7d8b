"""Fixtures: one local cloud for the whole run, started when a test first needs it."""

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cloud import Cloud
    from tuneops.services import Services


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Cloud"]:
    """A local cloud with TuneOps in it."""
    from tests.cloud import Cloud

    running = Cloud(tmp_path_factory.mktemp("cloud"))
    running.up()
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


@pytest.fixture
def services(storage: str) -> "Services":
    """What TuneOps works with, in empty containers and an empty queue of its own."""
    from azure.storage.queue import QueueClient

    from tuneops.services import Services
    from tuneops.settings import Settings

    own = uuid.uuid4().hex[:8]
    made = Services(
        Settings(
            subscription_id="s",
            resource_group="g",
            workspace="w",
            storage_connection_string=storage,
            state_container=f"state-{own}",
            datasets_container=f"datasets-{own}",
            prepared_container=f"prepared-{own}",
            reconcile_queue=f"reconcile-{own}",
            github_repository="contoso/models",
            github_token="token",
            github_webhook_secret="secret",
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

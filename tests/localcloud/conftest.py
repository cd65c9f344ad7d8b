"""Fixtures for the local cloud's own tests."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from azure.ai.ml import MLClient
from azureml_server import (
    ROOT,
    IdentityEndpoint,
    Topic,
    eventually,
    make_connection,
    ml_client,
    rest_client,
    running,
)

from localcloud.connection import Connection
from localcloud.training import base_model


@pytest.fixture(scope="session")
def azureml(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A running workspace without a compute node."""
    connection = make_connection(tmp_path_factory.mktemp("azureml"))
    with running(connection, "azureml", connection.ports.azureml):
        yield connection


@pytest.fixture(scope="session")
def topic(azureml: Connection) -> Iterator[Topic]:
    """The workspace's Event Grid topic."""
    topic = Topic(azureml.ports.platform, refuse=2)
    yield topic
    topic.close()


@pytest.fixture
def ml(azureml: Connection) -> MLClient:
    """The unmodified SDK."""
    return ml_client(azureml)


@pytest.fixture
def rest(azureml: Connection) -> Iterator[httpx2.Client]:
    """Plain HTTP with a valid token."""
    with rest_client(azureml) as client:
        yield client


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A running workspace with a storage account."""
    connection = make_connection(tmp_path_factory.mktemp("cloud"), ROOT / ".localcloud" / "cache")
    with (
        running(connection, "storage", connection.ports.azurite_blob),
        running(connection, "azureml", connection.ports.azureml),
    ):
        eventually(lambda: (connection.state_dir / "storage.ready").exists(), 60)
        yield connection


@pytest.fixture(scope="module")
def node(workspace: Connection) -> Iterator["subprocess.Popen[bytes]"]:
    """Its compute node."""
    with running(workspace, "compute") as process:
        eventually(lambda: (workspace.state_dir / "compute.ready").exists(), 180)
        yield process


@pytest.fixture
def cloud(workspace: Connection, node: "subprocess.Popen[bytes]") -> Connection:
    """All of it."""
    return workspace


@pytest.fixture(scope="session")
def identity_endpoint(azureml: Connection) -> Iterator[str]:
    """The address of a managed identity endpoint whose tokens the workspace takes."""
    endpoint = IdentityEndpoint(azureml)
    yield endpoint.url
    endpoint.close()


@pytest.fixture(scope="session")
def small_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The foundation model's MLflow folder, trained for seconds: it babbles."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base_model, "CHATS", 480)
        return base_model.ensure_base_model(tmp_path_factory.mktemp("cache"))

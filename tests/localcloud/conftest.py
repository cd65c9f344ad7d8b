"""Fixtures for the local cloud's own tests."""

from collections.abc import Iterator

import httpx
import pytest
from azure.ai.ml import MLClient
from azureml_server import IdentityEndpoint, Topic, make_connection, ml_client, rest_client, running

from localcloud.connection import Connection


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
def rest(azureml: Connection) -> Iterator[httpx.Client]:
    """Plain HTTP with a valid token."""
    with rest_client(azureml) as client:
        yield client


@pytest.fixture(scope="session")
def identity_endpoint(azureml: Connection) -> Iterator[str]:
    """The address of a managed identity endpoint whose tokens the workspace takes."""
    endpoint = IdentityEndpoint(azureml)
    yield endpoint.url
    endpoint.close()

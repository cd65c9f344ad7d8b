"""A GitHub of their own for the tests of its API."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from functions_host import make_connection
from github_server import Clone, GitHub, Receiver, running_github, serving

from localcloud.connection import Connection


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    """For an API that is not started yet."""
    return make_connection(tmp_path / "state", tmp_path)


@pytest.fixture
def github(connection: Connection) -> Iterator[GitHub]:
    """A fresh repository behind its API."""
    receiver = Receiver(connection.github.webhook_secret)
    with (
        serving(receiver.app(), connection.ports.functions),
        running_github(connection, receiver) as running,
    ):
        yield running


@pytest.fixture
def clone(github: GitHub, tmp_path: Path) -> Clone:
    """A clone of the fresh repository."""
    return Clone(github.connection, tmp_path / "clone")

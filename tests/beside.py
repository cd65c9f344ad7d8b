"""Parts of a local cloud of their own, beside a storage account that runs already. For tests."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import yaml

from localcloud.connection import Connection
from localcloud.parts import Part
from localcloud.process import start_child, stop_group
from localcloud.provision import provision
from tests.cloud import CACHE, ROOT, Cloud

START_SECONDS = 120
STOP_SECONDS = 1
"""Nobody needs what the parts would still write, nor waits for their last answers."""


@contextmanager
def cloud_beside(
    account: Cloud, state: Path, manifest: dict[str, Any], *names: str
) -> Iterator[Cloud]:
    """These parts of a local cloud, in a third of the time that one with a storage account takes.

    The containers are those of `account`, and what is in them.
    """
    file = state / "manifest.yaml"
    file.write_text(yaml.safe_dump(manifest))
    own = provision(state, ROOT, CACHE, file)
    doors = own.storage.model_dump(include={"door_blob_url", "door_queue_url"})
    storage = Connection.load(account.state).storage.model_copy(update=doors)
    connection = own.model_copy(update={"storage": storage})
    connection.save()
    for folder in ("logs", "tmp"):
        (state / folder).mkdir()
    with ExitStack() as running:
        parts = [Part(name, connection) for name in names]
        for part in parts:
            running.callback(stop_group, _start(part), STOP_SECONDS)
        _wait_until_healthy(parts)
        cloud = Cloud(state)
        cloud.load()
        yield cloud


def _start(part: Part) -> "Popen[bytes]":
    return start_child(
        part.command,
        log_file=part.log_file,
        environment=part.environment,
        directory=part.connection.state_dir,
        own_group=True,
    )


def _wait_until_healthy(parts: list[Part]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not all(part.is_healthy() for part in parts):
        assert time.monotonic() < deadline, [part.log_file.read_text() for part in parts]
        time.sleep(0.1)

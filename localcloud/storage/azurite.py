"""Azurite as a child process, which keeps its data in the state directory or in memory."""

import fcntl
import logging
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from localcloud.connection import Connection
from localcloud.process import LOOPBACK, port_answers, start_child
from localcloud.storage.install import ensure_azurite

START_SECONDS = 60.0
STOP_SECONDS = 25.0
LOOK_SECONDS = 0.05
FILE_THREADS = "16"
"""A write waits until the disk has it, with Node's own four all other reading waits as well."""
PRELOADS = [
    Path(__file__).with_name(f"{name}.cjs") for name in ("exit_with_parent", "remove_nothing")
]

log = logging.getLogger(__name__)


class AzuriteError(Exception):
    """Azurite did not start."""


class Azurite:
    """One Azurite. Two never work on the same data: the second waits until the first has ended."""

    def __init__(self, connection: Connection, *, in_memory: bool = False) -> None:
        self._connection = connection
        self._in_memory = in_memory
        self._data = connection.state_dir / "azurite"
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            AzuriteError: it ended or did not answer in time.
            InstallError: it could not be installed.
        """
        node, entry_point = ensure_azurite(self._connection.cache_dir)
        self._data.mkdir(parents=True, exist_ok=True)
        with (self._data / "lock").open("w") as lock:
            # The lock passes to the child with the descriptor, and ends with it.
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._child = start_child(
                [node.node, *_preloaded(), entry_point, *self._options()],
                environment={"UV_THREADPOOL_SIZE": FILE_THREADS},
                directory=self._data,
                inherit=[lock.fileno()],
            )
        self._wait_until_it_listens()

    def _options(self) -> list[str | Path]:
        ports = self._connection.ports
        return [
            *(["--inMemoryPersistence"] if self._in_memory else ["--location", self._data]),
            *("--blobHost", LOOPBACK, "--blobPort", str(ports.azurite_blob)),
            *("--queueHost", LOOPBACK, "--queuePort", str(ports.azurite_queue)),
            *("--tableHost", LOOPBACK, "--tablePort", str(ports.azurite_table)),
            "--silent",
            "--disableTelemetry",
            # The SDKs send an api-version that is newer than Azurite.
            "--skipApiVersionCheck",
        ]

    def _wait_until_it_listens(self) -> None:
        ports = self._connection.ports
        deadline = time.monotonic() + START_SECONDS
        # It opens its ports in this order.
        for port in (ports.azurite_blob, ports.azurite_queue, ports.azurite_table):
            while not port_answers(port):
                if not self.is_running():
                    raise AzuriteError("Azurite ended while it started")
                if time.monotonic() > deadline:
                    raise AzuriteError(f"Azurite does not listen after {START_SECONDS:.0f} s")
                time.sleep(LOOK_SECONDS)

    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._child is not None and self._child.poll() is None

    def stop(self) -> None:
        """Let it save its data and end."""
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            log.warning("Azurite did not end in %.0f s and is killed", STOP_SECONDS)
            self._child.kill()
            self._child.wait()


def _preloaded() -> Iterator[str | Path]:
    for path in PRELOADS:
        yield from ("--require", path)


def create_containers_and_queues(
    connection: Connection, containers: list[str], queues: list[str]
) -> None:
    """Create what is missing.

    Raises:
        AzureError: the storage account refuses a name or does not answer.
    """
    text = connection.storage.connection_string
    with BlobServiceClient.from_connection_string(text) as blobs:
        for name in containers:
            with suppress(ResourceExistsError):
                blobs.create_container(name)
    with QueueServiceClient.from_connection_string(text) as queue_service:
        for name in queues:
            with suppress(ResourceExistsError):
                queue_service.create_queue(name)

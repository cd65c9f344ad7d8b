"""Azurite as a child process, which keeps its data in the state directory; in memory, as two."""

import fcntl
import logging
import subprocess
import time
from collections.abc import Iterator, Sequence
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
    Path(__file__).with_name(f"{name}.cjs") for name in ("exit_with_parent", "quick_lokijs")
]

log = logging.getLogger(__name__)


class AzuriteError(Exception):
    """Azurite did not start."""


class Azurite:
    """One Azurite. Two never work on the same data: the second waits until the first has ended.

    In memory blobs and queues have a process each, so that neither waits for the other.
    """

    def __init__(self, connection: Connection, *, in_memory: bool = False) -> None:
        self._connection = connection
        self._in_memory = in_memory
        self._data = connection.state_dir / "azurite"
        self._children: list[subprocess.Popen[bytes]] = []

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
            for program, services in self._programs(entry_point):
                child = start_child(
                    [node.node, *_preloaded(), program, *self._options(services)],
                    environment={"UV_THREADPOOL_SIZE": FILE_THREADS},
                    directory=self._data,
                    inherit=[lock.fileno()],
                )
                self._children.append(child)
        self._wait_until_it_listens()

    def _programs(self, whole: Path) -> list[tuple[Path, Sequence[str]]]:
        """What is started, and for which services."""
        if not self._in_memory:
            return [(whole, tuple(self._ports))]
        return [(whole.parent / name / "main.js", [name]) for name in self._ports]

    @property
    def _ports(self) -> dict[str, int]:
        """Of what is served, in the order in which it opens them."""
        ports = self._connection.ports
        served = {"blob": ports.azurite_blob, "queue": ports.azurite_queue}
        return served if self._in_memory else {**served, "table": ports.azurite_table}

    def _options(self, services: Sequence[str]) -> list[str | Path]:
        where: list[str | Path] = ["--location", self._data]
        return [
            *(["--inMemoryPersistence"] if self._in_memory else where),
            *(f"--{name}Host={LOOPBACK}" for name in services),
            *(f"--{name}Port={self._ports[name]}" for name in services),
            "--silent",
            "--disableTelemetry",
            # The SDKs send an api-version that is newer than Azurite.
            "--skipApiVersionCheck",
        ]

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        for port in self._ports.values():
            while not port_answers(port):
                if not self.is_running():
                    raise AzuriteError("Azurite ended while it started")
                if time.monotonic() > deadline:
                    raise AzuriteError(f"Azurite does not listen after {START_SECONDS:.0f} s")
                time.sleep(LOOK_SECONDS)

    def is_running(self) -> bool:
        """Whether all of it lives."""
        return bool(self._children) and all(child.poll() is None for child in self._children)

    def stop(self) -> None:
        """Let it save its data and end."""
        for child in self._children:
            child.terminate()
        for child in self._children:
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                log.warning("Azurite did not end in %.0f s and is killed", STOP_SECONDS)
                child.kill()
                child.wait()


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

"""The hosts of one local cloud: two that work on the same queues, killed and started anew."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import httpx2
from azure.core.exceptions import AzureError
from azure.storage.blob import BlobLeaseClient

from localcloud.connection import Connection
from localcloud.parts import Part
from localcloud.process import free_ports, start_child, stop_group
from tests.chaos.points import Points
from tests.cloud import ROOT, Cloud

LEASED = (
    "projects/",
    "carriers/",
    "repository.json",
    "heard/",
    "pulls/",
    "sweeps/",
    "summary.json",
)
LOOK_SECONDS = 0.05
LEFT_ALONE = 0.1
"""The share of dead hosts whose leases run out by themselves, in 20 seconds."""


class Host:
    """One of them, as its own process that starts it again; `state` has its connection.json."""

    def __init__(self, state: Path, points: Path) -> None:
        self.state = state
        self._points = points
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        connection = Connection.load(self.state)
        line = [sys.executable, "-m", "tests.chaos.host"]
        self._process = start_child(
            [*line, "--state", self.state, "--points", self._points],
            log_file=self.state / "host.log",
            environment={**Part("functions", connection).environment, "PYTHONPATH": str(ROOT)},
            directory=ROOT,
            own_group=True,
        )

    @property
    def answers(self) -> bool:
        """Whether it serves now."""
        url = Connection.load(self.state).functions.base_url
        try:
            return httpx2.get(f"{url}/health", timeout=2).status_code == 200
        except httpx2.HTTPError:
            return False

    @property
    def deaths(self) -> int:
        """How often it has died."""
        file = self.state / "deaths"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def kill(self) -> bool:
        """``kill -9``; whether there was one to kill."""
        try:
            os.kill(int((self.state / "host.pid").read_text()), signal.SIGKILL)
        except (OSError, ValueError):
            return False
        return True

    def set_clock(self, seconds: float) -> None:
        """Let its clock be wrong by so many seconds from its next start on."""
        (self.state / "shift").write_text(str(seconds))

    def stop(self) -> None:
        """End it for good."""
        if self._process:
            stop_group(self._process)


class Hosts:
    """Both of them while the block lasts. Leases of one that has died end soon, as in time."""

    def __init__(self, cloud: Cloud, seed: int) -> None:
        self._cloud = cloud
        self._random = random.Random(f"{seed}/leases")
        folder = cloud.state / "points"
        self.points = Points(folder)
        self.all = [Host(state, folder) for state in (cloud.state, _second(cloud))]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._end_leases)

    def __enter__(self) -> "Hosts":
        for host in self.all:
            host.start()
        self._cloud.until_true(lambda: all(host.answers for host in self.all))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for host in self.all:
            host.stop()

    @property
    def deaths(self) -> int:
        """How often one of them has died."""
        return sum(host.deaths for host in self.all)

    def _end_leases(self) -> None:
        seen = self.deaths
        while not self._over.wait(LOOK_SECONDS):
            now = self.deaths
            if now > seen and self._random.random() > LEFT_ALONE:
                self.break_leases()
            seen = now

    def break_leases(self) -> None:
        """End all leases: those of the dead ones, and whoever lives loses his, too."""
        container = self._cloud.blobs.get_container_client("tuneops")
        with suppress(AzureError):
            for prefix in LEASED:
                for blob in container.list_blobs(name_starts_with=prefix):
                    if blob.lease.state == "leased":
                        with suppress(AzureError):
                            BlobLeaseClient(container.get_blob_client(blob.name)).break_lease(0)


def _second(cloud: Cloud) -> Path:
    """The folder of a second host of the same cloud, at a port of its own."""
    state = cloud.state / "second"
    state.mkdir(exist_ok=True)
    document = json.loads((cloud.state / "connection.json").read_text())
    (port,) = free_ports(["functions"]).values()
    document["state_dir"] = str(state)
    document["ports"]["functions"] = port
    document["functions"]["base_url"] = f"http://127.0.0.1:{port}"
    (state / "connection.json").write_text(json.dumps(document))
    return state

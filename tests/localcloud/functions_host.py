"""For the tests of the Functions host: Azurite, and the host itself with the sample app."""

import json
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx2
import yaml
from azure.storage.queue import QueueClient

from localcloud.connection import Connection
from localcloud.manifest import Manifest
from localcloud.process import start_child, stop_group
from localcloud.provision import provision

ROOT = Path(__file__).parents[2]
SAMPLE_APP = Path(__file__).parent / "sample_app" / "function_app.py"
MANIFEST: dict[str, Any] = {
    "tenant_id": "11111111-1111-1111-1111-111111111111",
    "subscription_id": "22222222-2222-2222-2222-222222222222",
    "resource_group": "rg",
    "workspace": "ws",
    "location": "eastus",
    "github": {"repository": "contoso/models"},
    "app_settings": {
        "AzureWebJobsStorage": "${storage.connection_string}",
        "RECORD": "${state_dir}/record.jsonl",
    },
}


@dataclass
class RunningHost:
    """A Functions host process."""

    connection: Connection
    process: Popen[bytes]

    @property
    def url(self) -> str:
        """Its base URL."""
        return self.connection.functions.base_url

    @property
    def key(self) -> str:
        """Its host key."""
        return self.connection.functions.key

    def queue(self, suffix: str = "") -> QueueClient:
        """The queue that `on_work` reads, or its poison queue; without any encoding."""
        settings = Manifest.load(self.connection.manifest_file).app_settings
        return QueueClient.from_connection_string(
            self.connection.storage.connection_string, settings["QUEUE"] + suffix
        )

    def records(self, function: str) -> list[dict[str, Any]]:
        """What the sample app recorded of a function."""
        path = self.connection.state_dir / "record.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [entry for line in lines if (entry := json.loads(line))["function"] == function]

    def log(self) -> str:
        """The host's log."""
        return (self.connection.state_dir / "functions.log").read_text()


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Poll until the condition holds. Returns its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        time.sleep(0.05)
    return value


def make_connection(state: Path, app: Path, storage: str = "", **changes: Any) -> Connection:
    """A connection.json for a host in ``state`` that serves ``app`` and a queue of its own.

    `changes` are sections of the manifest.
    """
    state.mkdir(parents=True, exist_ok=True)
    manifest = state / "manifest.yaml"
    settings = {**MANIFEST["app_settings"], "QUEUE": f"work-{uuid.uuid4().hex}"}
    manifest.write_text(yaml.safe_dump({**MANIFEST, "app_settings": settings, **changes}))
    connection = provision(state, app, state / "cache", manifest)
    account = connection.storage.model_copy(update={"connection_string": storage})
    connection = connection.model_copy(update={"storage": account})
    connection.save()
    return connection


def write_app(directory: Path, script: Path = SAMPLE_APP, **queues: Any) -> Path:
    """A function app with the given script and queue options."""
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copy(script, directory / "function_app.py")
    options = {"maxPollingInterval": "00:00:00.2", "visibilityTimeout": "00:00:00", **queues}
    document = {"version": "2.0", "extensions": {"queues": options}}
    (directory / "host.json").write_text(json.dumps(document))
    return directory


@contextmanager
def running_host(connection: Connection) -> Iterator[RunningHost]:
    """The host as its own process, once it answers."""
    child = start_child(
        [sys.executable, "-m", "localcloud.functions", "--state", connection.state_dir],
        log_file=connection.state_dir / "functions.log",
        environment={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        own_group=True,
    )
    host = RunningHost(connection, child)
    try:
        wait_for(lambda: child.poll() is not None or _answers(host.url), 120)
        assert child.poll() is None, host.log()
        yield host
    finally:
        stop_group(child)


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/health").status_code == 200
    except httpx2.TransportError:
        return False

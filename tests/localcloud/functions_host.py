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
from localcloud.process import free_ports, start_child, stop_group

ROOT = Path(__file__).parents[2]
SAMPLE_APP = Path(__file__).parent / "sample_app" / "function_app.py"
HOST_KEY = "the host key"
EVENTGRID_KEY = "the system key"
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


def wait_for(condition: Callable[[], Any], seconds: float = 15) -> Any:
    """Poll until the condition holds. Returns its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        time.sleep(0.05)
    return value


def make_connection(state: Path, app: Path, storage: str) -> Connection:
    """A connection.json for a host in ``state`` that serves ``app`` and a queue of its own."""
    ports = free_ports(
        ["azurite_blob", "azurite_queue", "azurite_table", "platform", "azureml", "functions"]
    )
    names = ("tenant_id", "subscription_id", "resource_group", "workspace", "location")
    manifest = state / "manifest.yaml"
    state.mkdir(parents=True, exist_ok=True)
    settings = {**MANIFEST["app_settings"], "QUEUE": f"work-{uuid.uuid4().hex}"}
    manifest.write_text(yaml.safe_dump({**MANIFEST, "app_settings": settings}))
    platform = f"http://127.0.0.1:{ports['platform']}"
    connection = Connection.model_validate(
        {
            **{name: MANIFEST[name] for name in names},
            "state_dir": state,
            "app_dir": app,
            "cache_dir": state / "cache",
            "manifest_file": manifest,
            "registry": "azureml",
            "cloud": {
                "name": "LocalCloud",
                "metadata": dict.fromkeys(
                    (
                        "azure_portal",
                        "resource_manager",
                        "active_directory",
                        "aml_resource_id",
                        "storage_endpoint",
                        "registry_discovery_endpoint",
                    ),
                    "https://localhost",
                ),
            },
            "ca_file": state / "ca.pem",
            "ca_bundle": state / "ca-bundle.pem",
            "server_cert": state / "server.pem",
            "azureml_url": f"https://localhost:{ports['azureml']}",
            "platform_url": platform,
            "identity": {"endpoint": f"{platform}/msi", "header": "h", "signing_key": "s"},
            "storage": {
                "account": "devstoreaccount1",
                "connection_string": storage,
                "blob_url": "",
                "queue_url": "",
            },
            "functions": {
                "base_url": f"http://127.0.0.1:{ports['functions']}",
                "key": HOST_KEY,
                "eventgrid_key": EVENTGRID_KEY,
            },
            "eventgrid": {"topics": {}},
            "github": {
                "api_url": f"{platform}/github",
                "repository": "contoso/models",
                "branch": "main",
                "token": "the token",
                "webhook_secret": "the secret",
                "repository_path": state / "github" / "contoso" / "models.git",
            },
            "inbox_url": f"{platform}/inbox",
            "compute_key": "c",
            "ports": ports,
        }
    )
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
        wait_for(lambda: child.poll() is not None or _answers(host.url), 30)
        assert child.poll() is None, host.log()
        yield host
    finally:
        stop_group(child)


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/health").status_code == 200
    except httpx2.TransportError:
        return False

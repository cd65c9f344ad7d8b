"""A local cloud without its heavy parts, and a stand-in for the function app behind it."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import yaml
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from localcloud.connection import Connection

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".localcloud" / "cache"
DATASETS = "/blobServices/default/containers/datasets/blobs/"

MANIFEST: dict[str, Any] = {
    "tenant_id": "11111111-1111-1111-1111-111111111111",
    "subscription_id": "22222222-2222-2222-2222-222222222222",
    "resource_group": "rg-test",
    "workspace": "ws-test",
    "location": "eastus",
    "storage": {"containers": ["datasets", "other"], "queues": ["work"]},
    "event_retry_factor": 0.01,
    "event_subscriptions": [
        {
            "name": "uploads",
            "topic": "storage",
            "function": "on_upload",
            "subject_begins_with": DATASETS,
        },
        {
            "name": "jobs",
            "topic": "workspace",
            "function": "on_job",
            "event_types": ["Test.Completed"],
            "subject_ends_with": "/run",
            "max_delivery_attempts": 3,
        },
    ],
    "github": {"repository": "contoso/models"},
}


def write_manifest(folder: Path, **changes: Any) -> Path:
    """A manifest file."""
    path = folder / "manifest.yaml"
    path.write_text(yaml.safe_dump({**MANIFEST, **changes}))
    return path


def run_cli(command: str, state: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """``python -m localcloud COMMAND``."""
    line = [sys.executable, "-m", "localcloud", command, "--state", str(state), *options]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=200)


def start_cli(state: Path, parts: str) -> Connection:
    """Start some parts; the manifest lies beside the state directory."""
    app = state.parent
    manifest = app / "manifest.yaml"
    if not manifest.exists():
        write_manifest(app)
    options = ("--app", str(app), "--manifest", str(manifest), "--cache", str(CACHE))
    done = run_cli("up", state, *options, "--parts", parts)
    assert done.returncode == 0, done.stdout + done.stderr
    return Connection.load(state)


@contextmanager
def small_cloud(folder: Path, parts: str = "storage,platform") -> Iterator[Connection]:
    """A running local cloud of these parts."""
    state = folder / "state"
    try:
        yield start_cli(state, parts)
    finally:
        done = run_cli("down", state)
    assert done.returncode == 0, done.stdout + done.stderr


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait for something true; gives it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"did not come about in {seconds} s")


@dataclass(frozen=True)
class Received:
    """One delivery."""

    function: str
    headers: dict[str, str]
    body: Any

    @property
    def event(self) -> dict[str, Any]:
        """The only event of a delivery in Event Grid's schema."""
        assert isinstance(self.body, list)
        assert len(self.body) == 1
        return self.body[0]


class FunctionApp:
    """Listens where the Functions host would, and answers deliveries as it is told."""

    def __init__(self, connection: Connection) -> None:
        self.received: list[Received] = []
        self.handshakes: list[Received] = []
        self.answers: list[int] = []
        self._key = connection.functions.eventgrid_key
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", connection.ports.functions), self._handler()
        )
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        app = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                url = urlsplit(self.path)
                query = parse_qs(url.query)
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status, answer = 404, b""
                if url.path == "/runtime/webhooks/eventgrid" and query["code"] == [app._key]:
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    received = Received(query["functionName"][0], headers, body)
                    status, answer = app.take(received)
                self.send_response(status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        return Handler

    def take(self, received: Received) -> tuple[int, bytes]:
        """Keep a request; gives the status and body of the answer."""
        if received.headers["aeg-event-type"] == "SubscriptionValidation":
            self.handshakes.append(received)
            code = received.event["data"]["validationCode"]
            return 200, json.dumps({"validationResponse": code}).encode()
        self.received.append(received)
        return (self.answers.pop(0) if self.answers else 200), b""

    def events(self, event_type: str | None = None) -> list[dict[str, Any]]:
        """The delivered events in Event Grid's schema, of one type or all."""
        found = [one.event for one in self.received]
        return [event for event in found if event_type in (None, event["eventType"])]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def function_app(connection: Connection) -> Iterator[FunctionApp]:
    """A function app, until the block ends."""
    app = FunctionApp(connection)
    try:
        yield app
    finally:
        app.close()


def blobs(connection: Connection) -> BlobServiceClient:
    """The storage account."""
    return BlobServiceClient.from_connection_string(connection.storage.connection_string)


def queues(connection: Connection) -> QueueServiceClient:
    """The storage account's queues."""
    return QueueServiceClient.from_connection_string(connection.storage.connection_string)


def subscription_counts(connection: Connection, name: str) -> dict[str, Any]:
    """The numbers of one subscription."""
    answer = httpx2.get(f"{connection.platform_url}/eventgrid/_status").json()
    return next(row for row in answer["subscriptions"] if row["name"] == name)

"""A running workspace for tests: `python -m localcloud.azureml` and clients for it."""

import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
import yaml
from azure.ai.ml import MLClient
from azure.core.credentials import AccessToken
from azure.storage.blob import BlobServiceClient, ContainerClient

from localcloud.connection import Connection
from localcloud.process import start_child
from localcloud.provision import provision

ROOT = Path(__file__).parents[2]
MANIFEST = {
    "tenant_id": "11111111-1111-1111-1111-111111111111",
    "subscription_id": "22222222-2222-2222-2222-222222222222",
    "resource_group": "rg-test",
    "workspace": "ws-test",
    "location": "eastus",
    "computes": [{"name": "gpu-cluster", "size": "Standard_NC24ads_A100_v4", "max_nodes": 1}],
    "github": {"repository": "contoso/models"},
}


class LocalCredential:
    """Tokens as the identity endpoint gives them: aud is the scope without `/.default`."""

    def __init__(self, connection: Connection, **claims: object) -> None:
        self._connection = connection
        self._claims = claims

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        """A token for the first scope that lasts an hour."""
        expiry = int(time.time()) + 3600
        claims = {
            "aud": scopes[0].removesuffix("/.default"),
            "tid": self._connection.tenant_id,
            "oid": "33333333-3333-3333-3333-333333333333",
            "exp": expiry,
            **self._claims,
        }
        key = self._connection.identity.signing_key
        return AccessToken(jwt.encode(claims, key, algorithm="HS256"), expiry)


def make_connection(state: Path, cache: Path | None = None) -> Connection:
    """A connection.json for the parts under test."""
    manifest = state / "manifest.yaml"
    manifest.write_text(yaml.safe_dump(MANIFEST))
    return provision(state, state, cache or state / "cache", manifest)


@contextmanager
def running(
    connection: Connection, part: str, port: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A part of the local cloud, until the block ends."""
    log = connection.state_dir / "logs" / f"{part}.log"
    log.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", f"localcloud.{part}", "--state", connection.state_dir]
    environment = {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    child = start_child(command, log_file=log, environment=environment)
    try:
        if port is not None:
            wait_for_port(port, child, log)
        yield child
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdin.close()


def wait_for_port(port: int, child: subprocess.Popen, log: Path, seconds: float = 120) -> None:
    """Wait until a part listens."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert child.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"nothing listens on {port}: {log.read_text()}")


def ml_client(connection: Connection) -> MLClient:
    """The unmodified SDK for the workspace.

    It keeps the current cloud in a variable of the whole process, so with two local clouds in one
    process each use needs its own client.
    """
    return MLClient(
        LocalCredential(connection),
        connection.subscription_id,
        connection.resource_group,
        connection.workspace,
        cloud=connection.cloud.name,
        cloud_metadata=connection.cloud.metadata.model_dump(),
        connection_verify=str(connection.ca_file),
        enable_telemetry=False,
    )


def registry_client(connection: Connection) -> MLClient:
    """The unmodified SDK for the registry."""
    return MLClient(
        LocalCredential(connection),
        registry_name=connection.registry,
        cloud=connection.cloud.name,
        cloud_metadata=connection.cloud.metadata.model_dump(),
        connection_verify=str(connection.ca_file),
        enable_telemetry=False,
    )


def rest_client(connection: Connection) -> httpx2.Client:
    """Plain HTTP with a valid token, for what the SDK would not send."""
    token = LocalCredential(connection).get_token(connection.azureml_url).token
    return httpx2.Client(
        base_url=connection.azureml_url,
        headers={"authorization": f"Bearer {token}"},
        params={"api-version": "2024-01-01-preview"},
        verify=ssl.create_default_context(cafile=str(connection.ca_file)),
        timeout=30,
        trust_env=False,
    )


@contextmanager
def admin_client(connection: Connection) -> Iterator[httpx2.Client]:
    """The admin API; faults that are left are forgotten."""
    with httpx2.Client(
        base_url=f"{connection.azureml_url}/_admin",
        headers={"x-compute-key": connection.compute_key},
        verify=ssl.create_default_context(cafile=str(connection.ca_file)),
        trust_env=False,
    ) as client:
        yield client
        client.delete("/faults")


class Topic:
    """An Event Grid topic that keeps what is posted to it; it may refuse the first events."""

    def __init__(self, port: int, refuse: int = 0) -> None:
        self.events: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self._refuse = refuse
        topic = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self.send_response(topic.take(json.loads(body), self.headers["aeg-sas-key"]))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, events: list[dict[str, Any]], key: str | None) -> int:
        """The status for some events."""
        if self._refuse:
            self._refuse -= 1
            return 503
        self.events += events
        self.keys.add(key)
        return 200

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class IdentityEndpoint:
    """App Service's managed identity protocol, for a client in another process."""

    def __init__(self, connection: Connection) -> None:
        credential = LocalCredential(connection)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert self.headers["x-identity-header"] == connection.identity.header
                resource = parse_qs(urlsplit(self.path).query)["resource"][0]
                token = credential.get_token(resource)
                body = {
                    "access_token": token.token,
                    "expires_on": str(token.expires_on),
                    "resource": resource,
                    "token_type": "Bearer",
                }
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/msi/token"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class NodeClient:
    """The compute node's protocol, spoken by hand to bring jobs into every state."""

    def __init__(self, connection: Connection, name: str) -> None:
        self.name = name
        self._http = httpx2.Client(
            base_url=f"{connection.azureml_url}/_compute",
            headers={"x-compute-key": connection.compute_key},
            verify=ssl.create_default_context(cafile=str(connection.ca_file)),
            timeout=40,
            trust_env=False,
        )

    def next_job(self, *running: str) -> dict[str, Any]:
        """Wait for a job that is none of those that run here."""
        answer = self._http.post("/next", json={"node": self.name, "running": running})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, path: str, **body: Any) -> httpx2.Response:
        """A report on a job."""
        return self._http.put(f"/jobs/{path}", json={"node": self.name, **body})

    def log(self, path: str, **body: Any) -> httpx2.Response:
        """Metrics or parameters of a step."""
        return self._http.post(f"/jobs/{path}/log", json={"node": self.name, **body})

    def wants_end(self, job: str) -> bool:
        """Whether a job is to be cancelled."""
        return self._http.get(f"/jobs/{job}", params={"node": self.name}).json()["cancel"]

    def complete(self, job: dict[str, Any]) -> None:
        """End a job well, with a model that only has an MLmodel file."""
        model = Path(job["output_dir"]) / "mlflow_model_folder"
        model.mkdir(parents=True, exist_ok=True)
        (model / "MLmodel").write_text("flavors:\n  python_function:\n    loader_module: test\n")
        for status in ("Finalizing", "Completed"):
            assert self.put(f"{job['name']}/status", status=status).is_success


def pipeline_body(connection: Connection, **inputs: object) -> dict[str, Any]:
    """The body that the SDK sends for a pipeline with one `chat_completion_pipeline` step.

    Inputs that are paths of the datastore become files, all others literals.
    """
    given = {"task_name": "ChatCompletion", "compute_finetune": "gpu-cluster", **inputs}
    bound = {
        name: {"job_input_type": "uri_file", "uri": value}
        if str(value).startswith("azureml://")
        else {"job_input_type": "literal", "value": str(value)}
        for name, value in given.items()
    }
    model = {
        "job_input_type": "mlflow_model",
        "uri": "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/1",
    }
    step = {
        "name": "step",
        "type": "pipeline",
        "componentId": component_id(connection),
        "inputs": {**bound, "mlflow_model_path": model},
        "outputs": {
            "mlflow_model_folder": {"type": "literal", "value": "${{parent.outputs.trained_model}}"}
        },
    }
    properties = {
        "jobType": "Pipeline",
        "experimentName": "tests",
        "tags": {},
        "properties": {},
        "settings": {"force_rerun": True},
        "inputs": {},
        "outputs": {"trained_model": {"jobOutputType": "mlflow_model"}},
        "jobs": {"step": step},
    }
    return {"properties": properties}


def component_id(connection: Connection) -> str:
    """The id of the registry's newest chat_completion_pipeline."""
    with rest_client(connection) as rest:
        registry = workspace_path(connection).replace(
            f"workspaces/{connection.workspace}", "registries/azureml"
        )
        path = f"/mferp/managementfrontend{registry}/components/chat_completion_pipeline/versions"
        return str(rest.get(path).json()["value"][0]["id"])


def workspace_path(connection: Connection) -> str:
    """The workspace's ARM id."""
    return (
        f"/subscriptions/{connection.subscription_id}/resourceGroups/{connection.resource_group}"
        f"/providers/Microsoft.MachineLearningServices/workspaces/{connection.workspace}"
    )


def container(connection: Connection, name: str) -> ContainerClient:
    """A container of the storage account."""
    service = BlobServiceClient.from_connection_string(connection.storage.connection_string)
    return service.get_container_client(name)


def ended(ml: MLClient, name: str, seconds: float = 240) -> str:
    """The status that the job ends with."""
    status = ""

    def is_over() -> bool:
        nonlocal status
        status = str(ml.jobs.get(name).status.value)
        return status in ("Completed", "Failed", "Canceled")

    eventually(is_over, seconds)
    return status


def eventually(check: Callable[[], object], seconds: float = 60) -> None:
    """Wait until a check holds."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)

"""The demo's own look at Azure ML: what any client would do with the SDK."""

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from azure.core.exceptions import ResourceNotFoundError

from tuneops.data.rows import Message

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.storage.blob import BlobServiceClient

GREEDY = {"do_sample": False, "max_new_tokens": 64}


def client(connection: dict[str, Any]) -> "MLClient":
    """The workspace in the local cloud, by its connection.json."""
    from azure.ai.ml import MLClient
    from azure.identity import DefaultAzureCredential

    return MLClient(
        DefaultAzureCredential(),
        connection["subscription_id"],
        connection["resource_group"],
        connection["workspace"],
        cloud=connection["cloud"]["name"],
        cloud_metadata=connection["cloud"]["metadata"],
        enable_telemetry=False,
    )


def deployments(connection: dict[str, Any], endpoint: str) -> set[str] | None:
    """The names of an endpoint's deployments, None when there is no such endpoint."""
    ml = client(connection)
    try:
        ml.online_endpoints.get(endpoint)
        return {str(found.name) for found in ml.online_deployments.list(endpoint)}
    except ResourceNotFoundError:
        return None


def test_rows(storage: "BlobServiceClient", path: str) -> list[list[Message]]:
    """The conversations that were held out for evaluation."""
    lines = storage.get_blob_client("prepared", path).download_blob().readall().splitlines()
    return [json.loads(line)["messages"] for line in lines]


def ask_endpoint(connection: dict[str, Any], endpoint: str, rows: list[list[Message]]) -> list[str]:
    """The endpoint's greedy answers to the rows' questions."""
    ml = client(connection)
    uri = ml.online_endpoints.get(endpoint).scoring_uri
    key = ml.online_endpoints.get_keys(endpoint).primary_key
    return [_ask(str(uri), str(key), row) for row in rows]


def ask_base(cache: Path, rows: list[list[Message]]) -> list[str]:
    """The untuned base model's greedy answers to the rows' questions."""
    questions = [row[-2]["content"] for row in rows]
    line = [sys.executable, "-m", "localcloud.serving.ask", "--cache", str(cache), *questions]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    return [str(json.loads(answer)["answer"]) for answer in done.stdout.splitlines()]


def _ask(uri: str, key: str, row: list[Message]) -> str:
    body = {"input_data": {"input_string": [row[:-1]], "parameters": GREEDY}, "params": {}}
    headers = {"Authorization": f"Bearer {key}"}
    response = requests.post(uri, json=body, headers=headers, timeout=60)
    response.raise_for_status()
    return str(response.json()["output"])

"""The managed identity and the inbox."""

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import jwt
import pytest
from small_cloud import small_cloud

from localcloud.connection import Connection

# Run as a program of its own: azure-identity reads the environment, and keeps tokens.
SDK = """
import sys
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
for credential in (DefaultAzureCredential(), ManagedIdentityCredential()):
    print(credential.get_token(sys.argv[1]).token)
"""


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    with small_cloud(tmp_path_factory.mktemp("platform"), "platform") as running:
        yield running


@pytest.fixture
def inbox(connection: Connection) -> str:
    httpx2.delete(connection.inbox_url)
    return connection.inbox_url


def test_the_unmodified_sdk_gets_tokens(connection: Connection) -> None:
    scope = f"{connection.azureml_url}/.default"
    environment = {
        "IDENTITY_ENDPOINT": connection.identity.endpoint,
        "IDENTITY_HEADER": connection.identity.header,
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "PATH": "",
    }
    done = subprocess.run(
        [sys.executable, "-c", SDK, scope], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    tokens = done.stdout.split()
    assert len(tokens) == 2
    for token in tokens:
        key = connection.identity.signing_key
        claims = jwt.decode(token, key, algorithms=["HS256"], audience=connection.azureml_url)
        assert claims["tid"] == connection.tenant_id
        assert claims["exp"] > time.time() + 3600
        assert claims["oid"]


QUERY = {"resource": "https://storage.azure.com", "api-version": "2019-08-01"}


@pytest.mark.parametrize(
    ("query", "header", "status"),
    [
        pytest.param(QUERY, "", 401, id="no header"),
        pytest.param(QUERY, "wrong", 401, id="wrong header"),
        pytest.param({"api-version": "2019-08-01"}, None, 400, id="no resource"),
        pytest.param({"resource": "r", "api-version": "2017-09-01"}, None, 400, id="old version"),
    ],
)
def test_no_token_without_the_right_request(
    connection: Connection, query: dict[str, str], header: str | None, status: int
) -> None:
    secret = connection.identity.header if header is None else header
    answer = httpx2.get(
        connection.identity.endpoint, params=query, headers={"X-IDENTITY-HEADER": secret}
    )
    assert answer.status_code == status
    assert answer.json()["statusCode"] == status


def test_the_inbox_keeps_what_is_posted_in_order(inbox: str) -> None:
    bodies: list[Any] = [{"title": "one"}, ["two", None], "drei ü\n", 4]
    for body in bodies:
        assert httpx2.post(inbox, json=body).status_code == 201
    assert [message["body"] for message in httpx2.get(inbox).json()] == bodies
    assert httpx2.delete(inbox).status_code == 204
    assert httpx2.get(inbox).json() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"{", 400, id="no JSON"),
        pytest.param(b"", 400, id="empty"),
        pytest.param(b"[" * 100_000, 400, id="deep"),
        pytest.param(b'"' + b"x" * 1024 * 1024 + b'"', 413, id="too large"),
    ],
)
def test_the_inbox_refuses_what_is_no_message(inbox: str, body: bytes, status: int) -> None:
    answer = httpx2.post(inbox, content=body)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert httpx2.get(inbox).json() == []


def test_apprise_reaches_the_inbox(connection: Connection, inbox: str) -> None:
    import apprise

    sender = apprise.Apprise()
    assert sender.add(f"json://127.0.0.1:{connection.ports.inbox}/inbox")
    assert sender.notify(title="Live", body="It is live.")
    [message] = httpx2.get(inbox).json()
    assert message["body"]["title"] == "Live"
    assert message["body"]["message"] == "It is live."


def test_the_platform_is_healthy(connection: Connection) -> None:
    assert httpx2.get(f"{connection.platform_url}/health").status_code == 200


def test_github_is_mounted(connection: Connection) -> None:
    answer = httpx2.get(
        f"{connection.github.api_url}/repos/{connection.github.repository}",
        headers={"Authorization": f"Bearer {connection.github.token}"},
    )
    assert answer.status_code == 200
    assert answer.json()["full_name"] == connection.github.repository

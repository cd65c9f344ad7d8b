"""The hook that connects GitHub, with the local GitHub's API and real deliveries."""

import asyncio
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Mount

from infra.hooks import webhook
from infra.hooks.deployed import OUTPUTS, Deployed
from infra.hooks.postdeploy import connect_github
from infra.hooks.problems import HookError
from infra.hooks.vault import WEBHOOK_SECRET, Vault
from localcloud.connection import Connection
from localcloud.github.app import create_app
from localcloud.manifest import GitHubSection, Manifest
from localcloud.provision import provision
from tests.azure_cli import stand_in

ROOT = Path(__file__).parents[1]
SECRET, OTHER = SecretStr("the-secret-of-the-webhook"), SecretStr("another-secret")


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """GitHub's API with a repository and an App, neither of which has a webhook."""
    folder = tmp_path_factory.mktemp("github")
    known = provision(folder / "state", ROOT, folder / "cache", ROOT / "infra" / "local.yaml")
    section = GitHubSection(repository=known.github.repository)
    manifest = Manifest.load(known.manifest_file).model_copy(update={"github": section})
    github = create_app(known, manifest)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> Any:
        async with github.router.lifespan_context(github):
            yield

    platform = Starlette(routes=[Mount("/github", github)], lifespan=lifespan)
    config = uvicorn.Config(platform, "127.0.0.1", known.ports.platform, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=asyncio.run, args=(server.serve(),), daemon=True)
    thread.start()
    assert until(lambda: server.started)
    yield known
    server.should_exit = True
    thread.join(15)


class Receiver:
    """A function app that notes what GitHub delivers."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bytes]] = []
        seen = self.seen

        class App(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                signature = self.headers["x-hub-signature-256"]
                seen.append((self.headers["x-github-event"], signature, body))
                self.send_response(200)
                self.end_headers()

            def do_HEAD(self) -> None:
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), App)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}{webhook.PATH}"

    def is_signed_with(self, secret: SecretStr) -> bool:
        """Whether the newest delivery is."""
        _, signature, body = self.seen[-1]
        made = hmac.new(secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
        return signature == f"sha256={made}"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.server.shutdown()
    found.server.server_close()


def hooks(connection: Connection) -> Any:
    github = connection.github
    return httpx2.get(
        f"{github.api_url}/repos/{github.repository}/hooks",
        headers={"authorization": f"Bearer {github.token}"},
    ).json()


def test_a_repository_gets_one_webhook_however_often(
    connection: Connection, receiver: Receiver
) -> None:
    github = connection.github
    where = (github.api_url, github.repository, SecretStr(github.token), receiver.address)

    assert "is made" in webhook.of_repository(*where, SECRET)
    (made,) = hooks(connection)
    assert (made["config"]["url"], made["active"]) == (receiver.address, True)
    assert tuple(made["events"]) == webhook.EVENTS
    assert until(lambda: receiver.seen)[-1][0] == "ping"
    assert receiver.is_signed_with(SECRET)

    assert "is up to date" in webhook.of_repository(*where, OTHER)
    assert [hook["id"] for hook in hooks(connection)] == [made["id"]]
    path = f"{github.api_url}/repos/{github.repository}/hooks/{made['id']}/pings"
    httpx2.post(path, headers={"authorization": f"Bearer {github.token}"})
    assert until(lambda: len(receiver.seen) == 2)
    assert receiver.is_signed_with(OTHER)


def test_the_local_github_refuses_a_webhook_twice(
    connection: Connection, receiver: Receiver
) -> None:
    github = connection.github
    url = f"{github.api_url}/repos/{github.repository}/hooks"
    wanted = {"config": {"url": receiver.address, "content_type": "json"}}
    headers = {"authorization": f"Bearer {github.token}"}
    assert httpx2.post(url, json=wanted, headers=headers).status_code == 422
    off = httpx2.patch(f"{url}/1", json={"active": False, "events": ["push"]}, headers=headers)
    assert (off.json()["active"], off.json()["events"]) == (False, ["push"])
    assert off.json()["config"]["url"] == receiver.address


def test_whoever_may_not_hears_which_permission_it_takes(connection: Connection) -> None:
    where = (connection.github.api_url, connection.github.repository, SecretStr("ghp_wrong"))
    with pytest.raises(HookError, match="Webhooks: write") as caught:
        webhook.of_repository(*where, "https://app.test/api/github", SECRET)
    assert SECRET.get_secret_value() not in str(caught.value)
    closed = ("http://127.0.0.1:9", *where[1:])
    with pytest.raises(HookError, match="can't be asked"):
        webhook.of_repository(*closed, "https://app.test/api/github", SECRET)


def test_the_webhook_of_an_app_is_not_taken_from_another(
    connection: Connection, receiver: Receiver
) -> None:
    app = connection.github.app
    who = (connection.github.api_url, str(app.id), SecretStr(app.private_key.replace("\n", "\\n")))

    assert "comes here" in webhook.of_app(*who, receiver.address, SECRET, replace=False)
    assert "comes here" in webhook.of_app(*who, receiver.address, OTHER, replace=False)
    with pytest.raises(HookError, match="INFRA_REPLACE_APP_WEBHOOK"):
        webhook.of_app(*who, "https://other.test/api/github", SECRET, replace=False)
    (hook,) = hooks(connection)
    assert hook["config"]["url"] == receiver.address
    webhook.of_app(*who, "https://other.test/api/github", SECRET, replace=True)
    (hook,) = hooks(connection)
    assert hook["config"]["url"] == "https://other.test/api/github"
    with pytest.raises(HookError, match="is no private key"):
        webhook.of_app(*who[:2], SecretStr("no key"), receiver.address, SECRET, replace=False)


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> Deployed:
    """An app at the receiver's address, with the webhook's secret in its vault."""
    stand_in(tmp_path, monkeypatch)
    outputs = dict.fromkeys(OUTPUTS.values(), "x")
    url = receiver.address.removesuffix(webhook.PATH)
    found = Deployed.read({**outputs, "INFRA_VAULT_NAME": "kv", "TUNEOPS_URL": url})
    Vault("kv").write(WEBHOOK_SECRET, SECRET.get_secret_value())
    return found


def test_what_is_deployed_is_connected_by_a_token_or_by_the_app(
    connection: Connection,
    receiver: Receiver,
    deployed: Deployed,
    capsys: pytest.CaptureFixture[str],
) -> None:
    github, vault = connection.github, Vault("kv")
    api = {"TUNEOPS_GITHUB_API_URL": github.api_url}
    sources = json.dumps([{"repository": github.repository}])
    vault.write("TUNEOPS_SOURCES", sources)
    connect_github(deployed, {**api, "GH_TOKEN": github.token})
    assert github.repository in capsys.readouterr().out
    made = [hook["config"]["url"] for hook in hooks(connection)]
    assert made.count(receiver.address) == 1

    vault.write("TUNEOPS_GITHUB_TOKEN", github.token)
    one = {**api, "TUNEOPS_GITHUB_REPOSITORY": github.repository}
    connect_github(deployed, one)
    assert "is up to date" in capsys.readouterr().out

    vault.write("TUNEOPS_GITHUB_APP_PRIVATE_KEY", github.app.private_key)
    app = {**one, "TUNEOPS_GITHUB_APP_ID": str(github.app.id)}
    replacing = {**app, "INFRA_REPLACE_APP_WEBHOOK": "true"}
    connect_github(deployed, replacing)
    assert "comes here" in capsys.readouterr().out


def test_sources_name_each_repository_once() -> None:
    text = (
        '[{"repository": "a/b", "environment": "x"}, {"repository": "a/b"}, {"repository": "c/d"}]'
    )
    assert webhook.repositories_of(text) == ["a/b", "c/d"]
    with pytest.raises(HookError, match="no JSON list"):
        webhook.repositories_of("{")

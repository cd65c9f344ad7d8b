"""GitHub Enterprise Server: its API is at ``https://HOST/api/v3``, and every call goes there."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from localcloud.connection import Connection
from localcloud.github.app import create_app
from localcloud.manifest import Manifest
from localcloud.provision import provision
from tests.cloud import CACHE, ROOT, Cloud, config
from tuneops.gitops.errors import GitHubError
from tuneops.services import Services
from tuneops.settings import Settings

COMMENTS = 101
"""More than one page of them."""


@pytest.fixture
def enterprise(tmp_path: Path) -> Iterator[Cloud]:
    """The local GitHub below the path of an Enterprise Server; nothing else answers there."""
    made = provision(tmp_path / "state", ROOT, CACHE, ROOT / "infra" / "local.yaml")
    url = f"http://127.0.0.1:{made.ports.platform}/api/v3"
    moved = made.github.model_copy(update={"api_url": url})
    connection = made.model_copy(update={"github": moved})
    connection.save()
    cloud = Cloud(connection.state_dir)
    cloud.connection = connection.model_dump(mode="json")
    with_lifespan = create_app(connection, Manifest.load(connection.manifest_file))
    app = Starlette(
        routes=[Mount("/api/v3", with_lifespan)], lifespan=with_lifespan.router.lifespan_context
    )
    server = uvicorn.Server(uvicorn.Config(app, port=connection.ports.platform, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    yield cloud
    server.should_exit = True
    thread.join(15)


def services(enterprise: Cloud, **changes: object) -> Services:
    """Those of the App there."""
    github = Connection.model_validate(enterprise.connection).github
    given = {
        "subscription_id": "s",
        "resource_group": "g",
        "workspace": "w",
        "github_api_url": f"{github.api_url}/",
        "github_repository": github.repository,
        "github_app_id": str(github.app.id),
        "github_app_private_key": github.app.private_key,
        "github_webhook_secret": "secret",
    }
    return Services(Settings.model_validate({**given, **changes}))


def test_every_call_goes_below_the_path(enterprise: Cloud) -> None:
    commit = enterprise.merge({"bot.yaml": config("bot")})
    head = enterprise.propose("idea", {"idea.yaml": config("idea")})
    number = enterprise.github("pulls", {"title": "i", "head": "idea", "base": "main"})["number"]
    github = services(enterprise).github

    snapshot = github.snapshot()
    assert snapshot.commit == commit
    assert set(github.contents(snapshot.files)) == {"finetune/bot.yaml"}
    proposal = github.proposal(number)
    assert proposal is not None
    assert (proposal.head, proposal.touched) == (head, {"finetune/idea.yaml"})

    for n in range(COMMENTS - 1):
        enterprise.github(f"issues/{number}/comments", {"body": str(n)})
    for text in ("mark: first", "mark: second"):
        github.comment(number, "mark", text)
    last = enterprise.github(f"issues/{number}/comments?per_page=100&page=2")
    assert [each["body"] for each in last] == ["mark: second"]

    github.set_status(commit, state="success", context="tuneops/bot", description="", url="")
    (status,) = enterprise.github(f"commits/{commit}/statuses")
    assert status["context"] == "tuneops/bot"
    for state in ("in_progress", "success"):
        told = {"description": "", "url": "https://studio", "log_url": "https://log"}
        github.set_deployment(commit, "bot", state=state, **told)
    (made,) = enterprise.github("deployments?environment=bot")
    statuses = enterprise.github(f"deployments/{made['id']}/statuses")
    assert [each["state"] for each in statuses] == ["success", "in_progress"]


def test_another_path_is_not_found(enterprise: Cloud) -> None:
    api_url = enterprise.connection["github"]["api_url"].removesuffix("/v3")
    with pytest.raises(GitHubError, match="GitHub"):
        services(enterprise, github_api_url=api_url).github.snapshot()


def test_a_branch_that_is_not_there_is_named(enterprise: Cloud) -> None:
    with pytest.raises(GitHubError, match="shows no branch gone of contoso/models: mend the"):
        services(enterprise, github_branch="gone").github.snapshot()

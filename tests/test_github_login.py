"""TuneOps at GitHub, as an App and with a token: over HTTP, against the local cloud."""

import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from localcloud.connection import Connection
from localcloud.manifest import Manifest
from tests.beside import cloud_beside
from tests.cloud import ROOT, Cloud, app_settings, config
from tests.delivering import deliver_all
from tests.planned import NOW
from tuneops import documents
from tuneops.desired import Desired
from tuneops.gitops.errors import GitHubError
from tuneops.gitops.github import GitHub
from tuneops.gitops.outage import Outage
from tuneops.gitops.pull_request_channel import CONCLUDED, PullRequestChannel
from tuneops.gitops.repository import Repository
from tuneops.message import Message
from tuneops.notify.channel import ChannelError
from tuneops.queue import RepositoryRequest
from tuneops.services import Services
from tuneops.settings import Settings
from tuneops.sync import sync_repository

KEY_SETTING = "TUNEOPS_GITHUB_APP_PRIVATE_KEY"
RSA = rsa.generate_private_key(65537, 2048)
PEM = (Encoding.PEM, PrivateFormat.TraditionalOpenSSL)
STRANGE = RSA.private_bytes(*PEM, NoEncryption()).decode()
LOCKED = RSA.private_bytes(*PEM, BestAvailableEncryption(b"password")).decode()
CURVE = ec.generate_private_key(ec.SECP256R1()).private_bytes(*PEM, NoEncryption()).decode()
PUBLIC = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture(scope="module")
def hub(account: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A local cloud of storage and GitHub."""
    manifest = yaml.safe_load((ROOT / "infra" / "local.yaml").read_text())
    with cloud_beside(account, tmp_path_factory.mktemp("hub"), manifest, "platform") as cloud:
        yield cloud


def tokens(hub: Cloud, method: str, **body: Any) -> httpx2.Response:
    """The local GitHub's administration of installation tokens."""
    github = hub.connection["github"]
    answer = httpx2.request(
        method,
        f"{github['api_url']}/_installation_tokens?per_page=100",
        json=body or None,
        headers={"Authorization": f"Bearer {github['token']}"},
    )
    return answer.raise_for_status()


@pytest.fixture(autouse=True)
def tokens_of_an_hour(hub: Cloud) -> None:
    tokens(hub, "PUT", seconds=3600)


def github_of(settings: Settings) -> GitHub:
    """The repository, as the product opens it."""
    return Services(settings).github


def issued(hub: Cloud) -> int:
    """How many installation tokens there were."""
    return len(tokens(hub, "GET").json())


def head(hub: Cloud) -> str:
    """The newest commit."""
    return str(hub.github("branches/main")["commit"]["sha"])


def test_a_sync_reads_and_tells_as_the_app(hub: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection.load(hub.state)
    environment = Manifest.load(connection.manifest_file).app_environment(connection)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    commit = hub.merge({"bot.yaml": config("bot"), "broken.yaml": "name: broken\n"})
    services = Services(Settings())
    was_away = Repository(outage=Outage(since=NOW, error="ConnectError"))
    services.store.update(documents.repository(""), Repository, lambda _: was_away)
    sync_repository(RepositoryRequest(), services)
    read = services.store.read(documents.repository(""), Repository)
    assert read is not None
    assert read.value.outage is None
    wanted = services.store.read(documents.desired("bot"), Desired)
    assert wanted is not None
    assert wanted.value.commit == commit
    httpx2.delete(hub.connection["inbox_url"])
    deliver_all(services)
    assert [channel.name for channel in services.people] == ["inbox"]
    assert "broken.yaml is not valid" in httpx2.get(hub.connection["inbox_url"]).text
    (status,) = hub.github(f"commits/{commit}/statuses")
    assert status["state"] == "failure"
    assert status["creator"]["login"] == "tuneops[bot]"


def test_a_pull_request_is_read_and_commented_on_as_the_app(hub: Cloud) -> None:
    hub.merge({"base.yaml": config("base")})
    proposed = hub.propose("idea", {"idea.yaml": config("idea")})
    number = hub.github("pulls", {"title": "Idea", "head": "idea", "base": "main"})["number"]
    github = github_of(app_settings(hub))
    proposal = github.proposal(number)
    assert proposal is not None
    assert proposal.head == proposed
    for text in ("mark: first", "mark: second"):
        github.comment(number, "mark", text)
    (comment,) = hub.github(f"issues/{number}/comments")
    assert (comment["body"], comment["user"]["login"]) == ("mark: second", "tuneops[bot]")


def test_a_merged_pull_request_is_told_once_of_all_its_projects(
    hub: Cloud, services: Services
) -> None:
    names = [f"team-{n}" for n in range(4)]
    number = hub.merge_by_pull("teams", {f"{name}.yaml": config(name) for name in names})
    commit = hub.merge({"later.yaml": config("later")})
    github = github_of(app_settings(hub))
    repository = hub.connection["github"]["repository"]
    channels = [PullRequestChannel(github, repository, services.store) for _ in names]

    def tell(channel: PullRequestChannel, name: str, text: str) -> None:
        message = Message(
            key=f"{name}:1:concluded",
            event=CONCLUDED,
            title="",
            text=text,
            at=NOW,
            commit=commit,
            path=f"finetune/{name}.yaml",
        )
        while True:
            try:
                assert channel.send(message, "") == ""
                return
            except ChannelError:
                time.sleep(0.1)

    with ThreadPoolExecutor() as pool:
        list(pool.map(tell, channels, names, [f"of {name}" for name in names]))
    for text in ("again", "again"):
        tell(channels[0], names[0], text)
    tell(channels[0], "later", "came by no pull request")
    (comment,) = hub.github(f"issues/{number}/comments")
    assert comment["user"]["login"] == "tuneops[bot]"
    said = [line for line in comment["body"].splitlines()[2:] if line]
    assert said == ["again", *(f"of {name}" for name in names[1:])]


def test_a_deployment_is_the_apps(hub: Cloud) -> None:
    told = {"description": "", "url": "https://studio", "log_url": "https://log"}
    github_of(app_settings(hub)).set_deployment(head(hub), "idea", state="success", **told)
    (made,) = hub.github("deployments?environment=idea")
    (status,) = hub.github(f"deployments/{made['id']}/statuses")
    assert {each["creator"]["login"] for each in (made, status)} == {"tuneops[bot]"}


def test_a_token_is_kept_until_shortly_before_its_end(hub: Cloud) -> None:
    github, before = github_of(app_settings(hub)), issued(hub)
    files = github.snapshot().files
    assert set(github.contents(files)) == {file.path for file in files}
    github.set_status(head(hub), state="pending", context="c", description="d", url="")
    assert issued(hub) == before + 1
    tokens(hub, "PUT", seconds=299)
    short = github_of(app_settings(hub))
    short.snapshot()
    short.snapshot()
    assert issued(hub) == before + 3


def test_a_refused_token_is_renewed_once(hub: Cloud) -> None:
    github = github_of(app_settings(hub))
    github.snapshot()
    before = issued(hub)
    tokens(hub, "DELETE")
    github.set_status(head(hub), state="pending", context="again", description="d", url="")
    assert issued(hub) == before + 1
    assert "again" in {one["context"] for one in hub.github(f"commits/{head(hub)}/statuses")}
    tokens(hub, "DELETE")
    tokens(hub, "PUT", seconds=0)
    with pytest.raises(GitHubError, match="Bad credentials"):
        github.snapshot()
    assert issued(hub) == before + 2


@pytest.mark.parametrize("change", ["\\n", "\r\n"])
def test_line_breaks_of_the_key_may_be_written_otherwise(hub: Cloud, change: str) -> None:
    key = hub.connection["github"]["app"]["private_key"].replace("\n", change)
    assert github_of(app_settings(hub, github_app_private_key=key)).snapshot().commit == head(hub)


def test_the_app_may_be_named_by_its_client_id_and_installation(hub: Cloud) -> None:
    app = hub.connection["github"]["app"]
    given = {
        "github_app_id": app["client_id"],
        "github_installation_id": app["installation_id"],
    }
    assert github_of(app_settings(hub, **given)).snapshot().commit == head(hub)


def test_a_token_opens_github_too(hub: Cloud) -> None:
    way = {"github_app_id": "", "github_app_private_key": ""}
    token, wrong = hub.connection["github"]["token"], f"ghp_{'x' * 36}"
    assert github_of(app_settings(hub, **way, github_token=token)).snapshot().commit == head(hub)
    with pytest.raises(GitHubError, match="refuses TUNEOPS_GITHUB_TOKEN: set it to") as caught:
        github_of(app_settings(hub, **way, github_token=wrong)).snapshot()
    assert wrong not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            {"github_app_private_key": STRANGE},
            rf"the signature of .*: set {KEY_SETTING}",
            id="key",
        ),
        pytest.param({"github_app_id": "7"}, "the GitHub App 7: mend .*_APP_ID", id="app"),
        pytest.param(
            {"github_repository": "contoso/other"},
            "1001 is not installed on contoso/other: install it there",
            id="not installed",
        ),
        pytest.param(
            {"github_installation_id": 7},
            "has no installation 7: mend TUNEOPS_GITHUB_INSTALLATION_ID or leave it out",
            id="installation",
        ),
        *(
            pytest.param({"github_app_private_key": key}, f"{KEY_SETTING} is no RSA", id=name)
            for name, key in {
                "nonsense": "TOPSECRET",
                "cut": STRANGE[:400],
                "encrypted": LOCKED,
                "other kind": CURVE,
                "public": PUBLIC,
            }.items()
        ),
    ],
)
def test_a_refusal_says_which_setting_to_mend(
    hub: Cloud, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(GitHubError, match=said) as caught:
        github_of(app_settings(hub, **changes)).snapshot()
    shown = "".join(traceback.format_exception(caught.value))
    key = [line for line in str(changes.get("github_app_private_key", "")).splitlines() if line]
    assert not [line for line in key if line in shown and "-----" not in line]

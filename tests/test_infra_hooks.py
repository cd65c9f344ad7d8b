"""azd's hooks, with a stand-in for the Azure CLI and a function app that answers the doctor."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.hooks import postprovision, preprovision
from infra.hooks.az import AzError, az, az_once_allowed
from infra.hooks.deployed import OUTPUTS, Deployed
from infra.hooks.postdeploy import examine, finish, subscribe
from infra.hooks.problems import HookError
from infra.hooks.vault import WEBHOOK_SECRET, Vault, given, store
from tests.azure_cli import AzureCli, stand_in
from tuneops.doctor.finding import Report, failed, ok
from tuneops.version import VERSION

ROOT = Path(__file__).parents[1]
TOKEN, CHANNEL = "TUNEOPS_GITHUB_TOKEN", "TUNEOPS_CHANNEL_TEAMS"
SUBSCRIPTION = "/subscriptions/sub/resourceGroups/rg/providers"
ENVIRONMENT = {
    **{name: f"the-{field}" for field, name in OUTPUTS.items()},
    "INFRA_VAULT_NAME": "kv",
    "INFRA_VAULT_SETTINGS": f"{WEBHOOK_SECRET},{TOKEN}",
    "INFRA_APP_ID": f"{SUBSCRIPTION}/Microsoft.Web/sites/func",
}
NOT_YET = "ERROR: (Forbidden) Caller is not authorized. Inner error: ForbiddenByRbac"
KEPT_OUT = "ERROR: (Forbidden) Public network access is disabled. ForbiddenByConnection"


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AzureCli:
    return stand_in(tmp_path, monkeypatch)


def put(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in {**ENVIRONMENT, **settings}.items():
        monkeypatch.setenv(name, value)


def test_without_the_azure_cli_one_hears_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(HookError, match=r"aka\.ms/install-azure-cli"):
        az("account", "show")


# Secrets


def test_secrets_are_stored_once_and_never_said(
    cli: AzureCli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "token.txt"
    file.write_text("first-token-value\n")
    put(monkeypatch, TUNEOPS_GITHUB_TOKEN_FILE=str(file))
    vault = Vault("kv")

    postprovision.keep_secrets()
    made = vault.read(WEBHOOK_SECRET)
    assert made is not None
    assert len(made) >= 48
    assert vault.read(TOKEN) == "first-token-value"

    postprovision.keep_secrets()
    assert vault.read(WEBHOOK_SECRET) == made
    file.write_text("second-token-value")
    postprovision.keep_secrets()
    assert vault.read(TOKEN) == "second-token-value"

    said = capsys.readouterr().out
    assert re.findall(r": (made|stored|kept)\b", said) == [
        *("made", "stored"),
        *("kept", "kept"),
        *("kept", "stored"),
    ]
    everything = said + json.dumps(cli.calls)
    assert [s for s in (made, "first-token-value", "second-token-value") if s in everything] == []
    refreshes = [call for call in cli.calls if call[0] == "rest"]
    assert len(refreshes) == 3
    assert refreshes[0][4].startswith(f"{ENVIRONMENT['INFRA_APP_ID']}/config/configreferences/")


def test_a_secret_that_is_nowhere_is_asked_for(cli: AzureCli) -> None:
    with pytest.raises(HookError, match=f"azd env set {CHANNEL}_FILE PATH"):
        store(Vault("kv"), CHANNEL, {})
    assert store(Vault("kv"), CHANNEL, {CHANNEL: "https://example.test/hook"}) == "stored"
    assert store(Vault("kv"), CHANNEL, {}) == "kept"


def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "large").write_text("x" * 30_000)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("missing", "empty", "large", "binary"):
        with pytest.raises(HookError, match=f"{CHANNEL}_FILE: .*{name}"):
            given(CHANNEL, {f"{CHANNEL}_FILE": str(tmp_path / name)})


def test_a_role_that_was_just_granted_is_waited_for(cli: AzureCli) -> None:
    show = ("keyvault", "secret", "show", "--vault-name", "kv", "--name", "x")
    cli.tell("failures", [NOT_YET, NOT_YET])
    with pytest.raises(AzError, match="SecretNotFound"):
        az_once_allowed(*show, pause=0)
    assert len(cli.calls) == 3

    cli.tell("failures", [NOT_YET] * 3)
    with pytest.raises(AzError, match="ForbiddenByRbac"):
        az_once_allowed(*show, tries=2, pause=0)

    cli.tell("failures", [KEPT_OUT])
    with pytest.raises(HookError, match="INFRA_ALLOWED_ADDRESSES"):
        az_once_allowed(*show, pause=0)


# Before provisioning


REPOSITORY = {"TUNEOPS_GITHUB_REPOSITORY": "contoso/models", TOKEN: "x"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (REPOSITORY, []),
        ({TOKEN: "x"}, ["which repository holds configs"]),
        ({**REPOSITORY, "TUNEOPS_GITHUB_REPOSITORY": "models"}, ["which repository"]),
        ({"TUNEOPS_GITHUB_REPOSITORY": "contoso/models"}, [f"{TOKEN} is nowhere"]),
        ({**REPOSITORY, TOKEN: "", "INFRA_VAULT_NAME": "kv"}, []),
        ({**REPOSITORY, "TUNEOPS_GITHUB_APP_ID": "7"}, ["TUNEOPS_GITHUB_APP_PRIVATE_KEY is"]),
        (
            {**REPOSITORY, "INFRA_MORE_VAULT_SETTINGS": "TUNEOPS_SOURCES", "TUNEOPS_SOURCES": "[]"},
            ["stands beside TUNEOPS_GITHUB_REPOSITORY"],
        ),
        ({**REPOSITORY, "INFRA_MORE_VAULT_SETTINGS": "a b"}, ["'a b' is no name of a setting"]),
        ({**REPOSITORY, "INFRA_MORE_VAULT_SETTINGS": "HF_TOKEN"}, ["HF_TOKEN is nowhere"]),
        (
            {**REPOSITORY, "INFRA_EXISTING_STORAGE_ACCOUNT_ID": "account"},
            ["INFRA_EXISTING_STORAGE_ACCOUNT_ID is no id of Microsoft.Storage/storageAccounts"],
        ),
        (
            {
                **REPOSITORY,
                "INFRA_EXISTING_KEY_VAULT_ID": f"{SUBSCRIPTION}/microsoft.keyvault/vaults/kv",
            },
            [],
        ),
    ],
)
def test_wrong_settings_are_told_before_anything_is_made(
    settings: dict[str, str], said: list[str]
) -> None:
    found = list(preprovision.of_settings(settings))
    assert len(found) == len(said)
    assert all(part in text for part, text in zip(said, found, strict=True))


def test_all_that_is_wrong_is_said_at_once(
    cli: AzureCli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = [*preprovision.PROVIDERS, *preprovision.OF_PRIVATE_NETWORKS]
    cli.tell("providers", [{"name": name, "state": "Registered"} for name in needed[:-1]])
    monkeypatch.setenv("INFRA_PRIVATE_NETWORKING", "true")
    with pytest.raises(HookError) as caught:
        preprovision.check()
    assert len(str(caught.value).splitlines()) == 3
    assert f"az provider register --wait --namespace {needed[-1]}" in str(caught.value)

    monkeypatch.setenv("INFRA_PRIVATE_NETWORKING", "false")
    for name, value in REPOSITORY.items():
        monkeypatch.setenv(name, value)
    preprovision.check()
    assert "as they should be" in capsys.readouterr().out

    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "the-chosen")
    cli.tell("failures", ["ERROR: Please run 'az login' to setup account."])
    with pytest.raises(HookError, match="az login, with an account that sees"):
        preprovision.check()
    assert "--subscription the-chosen" in " ".join(cli.calls[-1])


# After deploying


def test_outputs_that_are_missing_are_named() -> None:
    with pytest.raises(HookError, match=r"INFRA_VAULT_NAME.*azd provision"):
        Deployed.read({})


def test_subscriptions_come_once_the_functions_are_there(cli: AzureCli) -> None:
    deployed = Deployed.read(ENVIRONMENT)
    cli.tell("functions", ["func/on_job_event"])
    with pytest.raises(HookError, match="there is no on_dataset_uploaded"):
        subscribe(deployed, pause=0, tries=2)
    assert [call for call in cli.calls if call[0] == "deployment"] == []

    cli.tell("functions", ["func/on_job_event", "func/on_dataset_uploaded", "func/reconcile"])
    cli.tell("failures", ["", "ERROR: (Url validation) The function is not known yet."])
    subscribe(deployed, pause=0)
    refused, call = (call for call in cli.calls if call[0] == "deployment")
    assert refused == call
    assert f"appId={deployed.app_id}" in call
    assert (ROOT / call[call.index("--template-file") + 1]).is_file()


@pytest.fixture
def app() -> Iterator[tuple[str, list[Report], list[str]]]:
    """A function app that answers the doctor with these reports in turn, and notes the keys."""
    reports: list[Report] = []
    keys: list[str] = []

    class App(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers["x-functions-key"])
            self.send_response(200)
            self.end_headers()
            report = reports.pop(0) if len(reports) > 1 else reports[0]
            self.wfile.write(report.model_dump_json().encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), App)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", reports, keys
    server.shutdown()
    server.server_close()


def test_the_doctor_is_asked_until_roles_are_known(
    cli: AzureCli,
    app: tuple[str, list[Report], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url, reports, keys = app
    put(monkeypatch, TUNEOPS_URL=url)
    missing = failed("roles.jobs", "TuneOps may not train", "grant it")
    reports += [
        Report(version=VERSION, findings=(missing,)),
        Report(version=VERSION, findings=(ok("roles.jobs", "has what it takes to train"),)),
    ]
    examine(Deployed.read(), pause=0)
    assert "has what it takes to train" in capsys.readouterr().out
    assert keys == ["the-function-key"] * 2
    assert [call[0] for call in cli.calls].count("rest") == 1

    reports[:] = [Report(version=VERSION, findings=(missing,))]
    with pytest.raises(HookError, match="the doctor finds something broken"):
        examine(Deployed.read(), pause=0, tries=1)
    assert "TuneOps may not train" in capsys.readouterr().out


def test_what_fails_keeps_none_of_the_others_from_their_work(
    cli: AzureCli,
    app: tuple[str, list[Report], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url, reports, _ = app
    closed = "http://127.0.0.1:9"
    put(monkeypatch, TUNEOPS_URL=url, TUNEOPS_GITHUB_API_URL=closed, **REPOSITORY)
    cli.tell("functions", ["func/on_job_event", "func/on_dataset_uploaded"])
    reports.append(Report(version=VERSION, findings=(ok("clock.skew", "is right"),)))
    with pytest.raises(HookError, match=r"^- contoso/models: GitHub .* can't be asked[^\n]*$"):
        finish()
    said = capsys.readouterr().out
    assert "Event Grid tells" in said
    assert "is right" in said

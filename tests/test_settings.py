"""Settings: which workspace, in which cloud, and where they are taken from."""

import json
import os
from pathlib import Path

import pytest
from azure.identity import AzureAuthorityHosts
from pydantic import ValidationError
from typer.testing import CliRunner

from tuneops.azureml.workspace import Workspace
from tuneops.cli import app
from tuneops.settings import AUTHORITIES, Settings, WorkspaceSettings

IDS = {"subscription_id": "s", "resource_group": "g", "workspace": "w"}
DOWNLOADED = {"subscription_id": "s", "resource_group": "g", "workspace_name": "w"}
CONFIG = "name: bot\nmodel: {name: Phi-3-mini-4k-instruct}\ndata: {path: bot}\n"


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TUNEOPS_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("cloud", "manager", "authority"),
    [
        ("AzureCloud", "https://management.azure.com", "login.microsoftonline.com"),
        ("AzureChinaCloud", "https://management.chinacloudapi.cn", "login.chinacloudapi.cn"),
        (
            "AzureUSGovernment",
            "https://management.usgovcloudapi.net",
            "login.microsoftonline.us",
        ),
    ],
)
def test_sovereign_clouds_have_their_own_addresses(
    cloud: str, manager: str, authority: str
) -> None:
    settings = WorkspaceSettings(**IDS, cloud=cloud)
    assert Workspace(settings).resource_manager == manager
    assert settings.authority == authority


def test_a_cloud_that_nobody_knows_needs_its_addresses() -> None:
    with pytest.raises(ValidationError, match="give AzureCloud, AzureChinaCloud"):
        WorkspaceSettings(**IDS, cloud="AzureMoon")
    own = {"resource_manager": "https://management.moon"}
    settings = WorkspaceSettings(**IDS, cloud="AzureMoon", cloud_metadata=own)
    assert settings.resource_manager == "https://management.moon"


@pytest.mark.parametrize("place", ["config.json", ".azureml/config.json"])
def test_a_downloaded_config_json_names_the_workspace(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / place
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(DOWNLOADED))
    assert WorkspaceSettings().workspace == "w"
    monkeypatch.setenv("TUNEOPS_WORKSPACE", "other")
    assert WorkspaceSettings().workspace == "other"


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "subscription_id: Field required"), ("{", "config.json"), ("[]", "config.json")],
)
def test_plan_says_what_is_wrong_with_the_connection(
    content: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bot.yaml").write_text(CONFIG)
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    done = CliRunner().invoke(app, ["plan", "bot.yaml", "--azure"])
    assert done.exit_code == 1
    assert said in done.output.replace("\n", " ")


APP = {"TUNEOPS_GITHUB_APP_ID": "1", "TUNEOPS_GITHUB_APP_PRIVATE_KEY": "TOPSECRET"}
TOKEN = {"TUNEOPS_GITHUB_TOKEN": "TOPSECRET"}


@pytest.fixture
def rest_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**IDS, "github_repository": "o/r", "github_webhook_secret": "w"}.items():
        monkeypatch.setenv(f"TUNEOPS_{name.upper()}", value)


@pytest.mark.usefixtures("rest_of_the_settings")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, r"no way into GitHub is set: set TUNEOPS_GITHUB_APP_ID and .*, or TUNEOPS_.*_TOKEN"),
        (APP | TOKEN, "TUNEOPS_GITHUB_TOKEN is set beside an App: remove the token"),
        (TOKEN | {"TUNEOPS_GITHUB_INSTALLATION_ID": "1"}, "is set beside an App"),
        ({"TUNEOPS_GITHUB_APP_ID": "1"}, "by half: set TUNEOPS_GITHUB_APP_PRIVATE_KEY as well"),
        (
            {"TUNEOPS_GITHUB_APP_PRIVATE_KEY": "TOPSECRET"},
            "by half: set TUNEOPS_GITHUB_APP_ID as well",
        ),
        (TOKEN | {"TUNEOPS_POLL_SECONDS": "TOPSECRET"}, "poll_seconds"),
    ],
)
def test_one_way_into_github_has_to_be_chosen(
    given: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=said) as caught:
        Settings()
    assert "TOPSECRET" not in str(caught.value)


@pytest.mark.usefixtures("rest_of_the_settings")
@pytest.mark.parametrize("given", [APP, TOKEN])
def test_an_empty_setting_is_none(given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    empty = dict.fromkeys((*APP, *TOKEN, "TUNEOPS_GITHUB_INSTALLATION_ID"), "")
    for name, value in {**empty, **given}.items():
        monkeypatch.setenv(name, value)
    made = Settings()
    assert bool(made.github_token) == (given is TOKEN)
    assert bool(made.github_app_private_key) == (given is APP)
    assert "TOPSECRET" not in repr(made)


def test_each_cloud_signs_in_where_the_sdk_has_it() -> None:
    hosts = AzureAuthorityHosts
    assert AUTHORITIES == {
        "AzureCloud": hosts.AZURE_PUBLIC_CLOUD,
        "AzureChinaCloud": hosts.AZURE_CHINA,
        "AzureUSGovernment": hosts.AZURE_GOVERNMENT,
    }

"""Settings: which workspace, in which cloud, and where they are taken from."""

import json
import os
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from tuneops.azureml.workspace import Workspace
from tuneops.cli import app
from tuneops.settings import WorkspaceSettings

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

"""``tuneops init``: what it writes is valid, holds no secret, and overwrites nothing."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from tuneops.cli import app
from tuneops.cli.init_files import CHECKOUT
from tuneops.config_file import parse_config

FILES = [".github/workflows/tuneops-plan.yml", "finetune/bot.yaml", "tuneops.settings.json"]
GIVEN = ("--name=bot", "--repository=contoso/models", "--tuneops=contoso/tuneops@v1")


def init(folder: Path, *options: str, answers: str = "") -> Result:
    return CliRunner().invoke(app, ["init", str(folder), *options], input=answers)


def written(folder: Path) -> list[str]:
    files = (file for file in folder.rglob("*") if file.is_file() and ".git/" not in str(file))
    return sorted(str(file.relative_to(folder)) for file in files)


def test_what_is_written_is_valid_and_says_what_comes_next(tmp_path: Path) -> None:
    done = init(tmp_path, *GIVEN, "--compute=serverless", "--policy", "--yes", "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    wanted = sorted([*FILES, "tuneops-policy.yaml"])
    assert (sorted(said["files"]), written(tmp_path)) == (wanted, wanted)
    assert len(said["next"]) == 3
    assert said["next"][2] == "Upload training data: tuneops data upload bot FILE"
    for path in (tmp_path, tmp_path / "finetune"):
        checked = CliRunner().invoke(app, ["validate", str(path)])
        assert (checked.exit_code, checked.stdout) == (0, "2 valid\n"), checked.output
    config = parse_config((tmp_path / "finetune" / "bot.yaml").read_bytes(), "bot.yaml")
    assert (config.name, config.compute.name) == ("bot", "serverless")

    jobs = yaml.safe_load((tmp_path / FILES[0]).read_text())["jobs"]
    plan, (checkout, validate) = jobs["plan"], jobs["validate"]["steps"]
    assert plan["uses"] == "contoso/tuneops/.github/workflows/plan.yml@v1"
    assert validate == {"uses": "contoso/tuneops/validate@v1"}
    assert checkout["uses"] == CHECKOUT.partition(" ")[0]
    reusable = Path(__file__).parents[1] / ".github" / "workflows" / "plan.yml"
    assert CHECKOUT in reusable.read_text()
    takes = yaml.safe_load(reusable.read_text())[True]["workflow_call"]["inputs"]
    assert plan["with"].keys() <= takes.keys()
    assert plan["with"].keys() >= {name for name, each in takes.items() if each.get("required")}

    values = json.loads((tmp_path / FILES[2]).read_text())["Values"]
    secrets = [name for name in values if "KEY" in name or "SECRET" in name]
    assert len(secrets) == 2
    assert all(values[name].startswith("@Microsoft.KeyVault(") for name in secrets)
    assert values["TUNEOPS_GITHUB_REPOSITORY"] == "contoso/models"


def test_it_asks_what_it_is_not_told(tmp_path: Path) -> None:
    """The repository is guessed from git's remote."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    remote = ["remote", "add", "origin", "git@github.com:contoso/bots.git"]
    subprocess.run(["git", "-C", str(tmp_path), *remote], check=True)
    done = init(tmp_path, answers="tutor\n\nlessons\n\n\ncontoso/tuneops@v2\ny\n")
    assert done.exit_code == 0, done.output
    config = parse_config((tmp_path / "finetune" / "tutor.yaml").read_bytes(), "tutor.yaml")
    assert config.model.name == "Phi-3-mini-4k-instruct"
    assert config.data.path == "lessons/"  # type: ignore[union-attr]
    assert "tuneops-policy.yaml" in written(tmp_path)
    assert '"contoso/bots"' in (tmp_path / FILES[2]).read_text()
    assert "Project [" in done.stderr
    assert "\nwrote " in done.stdout


def test_nothing_is_overwritten_by_itself(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    folder = tmp_path / "here"
    (folder / "finetune").mkdir(parents=True)
    (folder / "finetune" / "bot.yaml").symlink_to(outside)
    refused = init(folder, *GIVEN, "--yes")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert f"finetune/bot.yaml in {folder} would be overwritten: give --force" in refused.stderr
    assert written(folder) == ["finetune/bot.yaml"]
    assert init(folder, *GIVEN, "--yes", "--force").exit_code == 0
    assert written(folder) == FILES
    assert outside.read_text() == "precious"


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("--name=Bot", "finetune/Bot.yaml:2: name: String should match"),
        ("--name=../../bot", "name: String should match"),
        ("--data=/etc", "data.path: String should match"),
        ("--compute=a b", "compute.name: String should match"),
        ("--repository=models", "--repository: String should match"),
        ("--tuneops=contoso/tuneops", "--tuneops: String should match"),
    ],
)
def test_an_answer_that_can_not_be(tmp_path: Path, option: str, why: str) -> None:
    refused = init(tmp_path, *GIVEN, option, "--yes")
    assert (refused.exit_code, why in refused.stderr) == (1, True), refused.output
    assert written(tmp_path) == []

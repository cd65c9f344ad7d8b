"""What configs were at another commit, by real git."""

import subprocess
from pathlib import Path
from typing import cast

import pytest

from tests.config_text import text
from tuneops.azureml.workspace import Workspace
from tuneops.cli.against import GitError, before
from tuneops.cli.planned import find


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A working copy whose first commit, `first`, has the projects aa, bb, cc and dd."""
    folder = tmp_path / "copy" / "finetune"
    folder.mkdir(parents=True)
    git(folder.parent, "init", "-q", "-b", "main")
    for name in ("aa", "bb", "cc", "dd"):
        (folder / f"{name}.yaml").write_text(text(name))
    (folder / "broken.yaml").write_text("name: [")
    (folder / "tuneops-policy.yaml").write_text("max_nodes: 1\n")
    commit(folder)
    git(folder, "tag", "first")
    return folder


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@contoso.example")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True)


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "Change")


def test_only_what_differs_is_told_whether_it_is_committed_or_not(copy: Path) -> None:
    assert before("first", copy).changed == frozenset()

    (copy / "aa.yaml").write_text(text("aa") + "suspend: true\n")
    (copy / "bb.yaml").unlink()
    (copy / "cc.yaml").rename(copy / "moved.yaml")
    commit(copy)
    (copy / "dd.yaml").write_text(text("dd") + "suspend: true\n")
    (copy / "new.yaml").write_text(text("new"))
    (copy / "broken.yaml").write_text(text("mended"))
    (copy / "tuneops-policy.yaml").write_text("max_nodes: 2\n")
    (copy / "notes.md").write_text("No config.\n")

    found = before("first", copy)
    names = {"aa", "bb", "cc", "dd", "moved", "new", "broken"}
    assert found.changed == {copy / f"{name}.yaml" for name in names}
    assert found.configs.keys() == {"aa", "bb", "cc", "dd"}
    assert found.files["cc"] == "finetune/cc.yaml"
    assert not found.configs["aa"].suspend

    assert before("first", copy / "aa.yaml").changed == {copy / "aa.yaml"}
    assert before("HEAD", copy).configs.keys() == {"dd"}


@pytest.mark.parametrize("ref", ["nowhere", "--output=x", "first:finetune", ""])
def test_what_is_no_commit_is_refused(copy: Path, ref: str) -> None:
    with pytest.raises(GitError):
        before(ref, copy)
    assert not (copy / "x").exists()


def test_a_folder_without_git_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(GitError, match="not a git repository"):
        before("main", tmp_path)


def test_a_file_that_has_errors_now_removes_no_project(copy: Path) -> None:
    (copy / "aa.yaml").write_text("name: [")
    (copy / "bb.yaml").unlink()
    found = find(copy, "", before("first", copy), cast(Workspace, None), None)
    assert [gone.project for gone in found.removed] == ["bb"]
    assert len(found.errors) == 1

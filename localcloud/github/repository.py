"""The bare repository on disk, and the hook that tells the platform of a push."""

import shlex
import sys
from pathlib import Path

from localcloud.github import notify
from localcloud.github.changes import Identity, make_commit
from localcloud.github.git import EMPTY_TREE, NO_OBJECT, Git

FIRST_AUTHOR = Identity("localcloud", "localcloud@localhost")


def ensure_repository(path: Path, branch: str, state_dir: Path) -> Git:
    """Open the repository; make it with an empty commit where there is none.

    The hook is written each time, as interpreter and checkout may have moved.

    Raises:
        GitError: git is missing or does not work.
    """
    git = Git(path)
    if not (path / "HEAD").exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        git.run("init", "--bare", "--quiet", "--template=", f"--initial-branch={branch}", str(path))
        # The hooks of this repository, whatever a pushing user's core.hooksPath says.
        git.run("config", "core.hooksPath", "hooks")
    if not git.refs():
        git.run("hash-object", "-t", "tree", "-w", "--stdin")
        commit = make_commit(git, EMPTY_TREE, (), "Initial commit", FIRST_AUTHOR)
        git.move_branch(branch, commit, NO_OBJECT)
    _write_hook(path / "hooks" / "post-receive", state_dir)
    return git


def _write_hook(hook: Path, state_dir: Path) -> None:
    """A hook that needs nothing from PATH and never fails the push."""
    command = shlex.join(
        [sys.executable, "-I", str(Path(notify.__file__).resolve()), str(state_dir)]
    )
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{command}\nexit 0\n")
    hook.chmod(0o755)

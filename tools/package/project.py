"""What of the project is deployed: the files that git knows and ``.funcignore`` leaves."""

import os
import subprocess
from pathlib import Path

IGNORED = ".funcignore"


class ProjectError(Exception):
    """It is no checkout of the project, or a setting of the build is wrong."""


def deployed(root: Path) -> list[str]:
    """The names of the files, in their order; what git does not know is none of them."""
    known = _git(root, "ls-files", "-z", "--cached")
    left_out = _git(root, "ls-files", "-z", "--cached", "--ignored", f"--exclude-from={IGNORED}")
    return sorted(set(known) - set(left_out))


def changed(root: Path) -> bool:
    """Whether something in the checkout is not as it was committed."""
    return bool(_git(root, "status", "--porcelain", "-z"))


def epoch(root: Path) -> int:
    """The time that all files get: SOURCE_DATE_EPOCH, or that of the commit.

    Raises:
        ProjectError: SOURCE_DATE_EPOCH is no time.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH") or _git(root, "log", "-1", "-z", "--format=%ct")[0]
    if not given.isdecimal():
        raise ProjectError(f"SOURCE_DATE_EPOCH is {given!r}: give whole seconds since 1970")
    return int(given)


def _git(root: Path, *arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise ProjectError(f"git {arguments[0]} failed in {root}: {done.stderr.strip()}")
    return [name for name in done.stdout.split("\0") if name]

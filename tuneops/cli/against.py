"""What the configs of a working copy were at another commit."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tuneops.cli.files import SUFFIXES
from tuneops.config import ProjectConfig
from tuneops.config_file import MAX_BYTES, InvalidConfigError, parse_config
from tuneops.policy import FILE as POLICY_FILE

TIMEOUT_SECONDS = 60


class GitError(Exception):
    """Git does not say what it was asked; the message is its own."""


@dataclass(frozen=True)
class Before:
    """The configs that differ now: the files, and what stood in them by project.

    A file that was not valid then has left no project.
    """

    changed: frozenset[Path]
    configs: dict[str, ProjectConfig]
    files: dict[str, str]


def before(ref: str, path: Path) -> Before:
    """What is different below `path` from the commit `ref`, and what was there.

    Raises:
        GitError: this is no working copy, or there is no such commit.
    """
    folder = path if path.is_dir() else path.parent
    top = Path(_git(folder, "rev-parse", "--show-toplevel").strip())
    commit = _git(folder, "rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}").strip()
    names = list(_changed(top, commit, path.resolve()))
    known = set(_git(top, "ls-tree", "-r", "-z", "--name-only", commit).split("\0"))
    configs: dict[str, ProjectConfig] = {}
    files: dict[str, str] = {}
    for name in names:
        found = _config(top, commit, name) if name in known else None
        if found:
            configs[found.name], files[found.name] = found, name
    return Before(frozenset(top / name for name in names), configs, files)


def _changed(top: Path, commit: str, path: Path) -> Iterator[str]:
    """The YAML files that were changed, removed or added since, the policy left out."""
    where = ["--", str(path)]
    differing = ["diff", "--no-ext-diff", "--no-renames", "--name-only", "-z", commit, *where]
    added = ["ls-files", "--others", "--exclude-standard", "-z", *where]
    found = {*_git(top, *differing).split("\0"), *_git(top, *added).split("\0")}
    for name in sorted(filter(None, found)):
        if Path(name).suffix in SUFFIXES and Path(name).name != POLICY_FILE:
            yield name


def _config(top: Path, commit: str, name: str) -> ProjectConfig | None:
    size = int(_git(top, "cat-file", "-s", f"{commit}:{name}"))
    if size > MAX_BYTES:
        return None
    try:
        return parse_config(_git(top, "cat-file", "blob", f"{commit}:{name}"), name)
    except InvalidConfigError:
        return None


def _git(folder: Path, *arguments: str) -> str:
    line = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(line, capture_output=True, check=False, timeout=TIMEOUT_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitError(f"git can't be asked ({type(error).__name__})") from error
    if done.returncode:
        raise GitError(done.stderr.decode("utf-8", "replace").strip()[:300])
    return done.stdout.decode("utf-8", "surrogateescape")

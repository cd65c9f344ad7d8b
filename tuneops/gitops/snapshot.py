"""The config files at a commit, and as a pull request would leave them. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """A file in a tree. `problem` says why it can't be read as a config, if it can't."""

    path: str
    sha: str
    problem: str = ""


@dataclass(frozen=True)
class Snapshot:
    """The config files of the repository at one commit, and the commit's message."""

    commit: str
    files: tuple[File, ...]
    message: str = ""


@dataclass(frozen=True)
class Proposal:
    """An open pull request to the tracked branch; `snapshot` is as merging it would leave it."""

    number: int
    head: str
    snapshot: Snapshot


def merged(tracked: Snapshot, ancestor: Snapshot, head: Snapshot) -> Snapshot:
    """The files of the tracked branch with what changed between the ancestor and the head.

    A file that both sides changed is taken as the head has it: git refuses that merge anyway.
    """
    before, after = _by_path(ancestor), _by_path(head)
    touched = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    files = {path: file for path, file in _by_path(tracked).items() if path not in touched}
    files |= {path: after[path] for path in touched & after.keys()}
    return Snapshot(head.commit, tuple(files[path] for path in sorted(files)))


def _by_path(snapshot: Snapshot) -> dict[str, File]:
    return {file.path: file for file in snapshot.files}

"""The config files at a commit, and as a pull request would leave them. Pure."""

from dataclasses import dataclass

from tuneops.cause import Brought


@dataclass(frozen=True)
class File:
    """A file in a tree. `problem` says why it can't be read as a config, if it can't."""

    path: str
    sha: str
    problem: str = ""


@dataclass(frozen=True)
class Head:
    """A branch's newest commit, and the ETag of GitHub's answer that told of it.

    `parents` are the commits before it, `brought` is what it says of itself.
    """

    commit: str
    message: str = ""
    etag: str = ""
    parents: tuple[str, ...] = ()
    brought: Brought | None = None


@dataclass(frozen=True)
class Snapshot:
    """The config files of the repository at one commit, and the commit's message."""

    commit: str
    files: tuple[File, ...]
    message: str = ""


@dataclass(frozen=True)
class Origin:
    """Where a pull request comes from: its author's login, and a branch of a repository.

    The author and the repository are empty when they have gone.
    """

    author: str = ""
    repository: str = ""
    branch: str = ""


@dataclass(frozen=True)
class Proposal:
    """An open pull request to the tracked branch.

    `snapshot` is as merging it would leave it, `touched` are the paths that it changes. `origin` is
    where it comes from.
    """

    number: int
    head: str
    snapshot: Snapshot
    touched: frozenset[str]
    origin: Origin = Origin()


def touched(ancestor: Snapshot, head: Snapshot) -> frozenset[str]:
    """The paths that were added, changed or removed between two commits."""
    before, after = _by_path(ancestor), _by_path(head)
    paths = before.keys() | after.keys()
    return frozenset(path for path in paths if before.get(path) != after.get(path))


def merged(tracked: Snapshot, head: Snapshot, touched: frozenset[str]) -> Snapshot:
    """The files of the tracked branch, those that the head has touched as it has them.

    A file that both sides changed is taken as the head has it: git refuses that merge anyway.
    """
    after = _by_path(head)
    files = {path: file for path, file in _by_path(tracked).items() if path not in touched}
    files |= {path: after[path] for path in touched & after.keys()}
    return Snapshot(head.commit, tuple(files[path] for path in sorted(files)))


def _by_path(snapshot: Snapshot) -> dict[str, File]:
    return {file.path: file for file in snapshot.files}

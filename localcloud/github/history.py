"""Commits, and what changed between them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from localcloud.github.git import EMPTY_TREE, Git, is_sha

_FIELDS = ["%H", "%T", "%P", "%an", "%ae", "%aI", "%cn", "%ce", "%cI", "%B"]
_FORMAT = "%x00".join(_FIELDS)


@dataclass(frozen=True)
class Person:
    """An author or committer."""

    name: str
    email: str
    date: datetime


@dataclass(frozen=True)
class Commit:
    """A commit."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    message: str


@dataclass
class Paths:
    """The files that a commit touched."""

    added: list[str] = field(default_factory=list)
    modified: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class FileChange:
    """A file that differs between two commits; ``status`` as in GitHub's ``files``."""

    path: str
    previous_path: str | None
    sha: str
    status: str
    additions: int
    deletions: int


def read_commit(git: Git, sha: str) -> Commit:
    """One commit by its SHA."""
    return commits(git, sha, limit=1)[0]


def commits(git: Git, *revisions: str, limit: int, path: str = "") -> list[Commit]:
    """The newest commits reachable from some revisions and not from others (``^SHA``).

    With a path, those that touch it.
    """
    paths = (f":(literal){path}",) if path else ()
    text = git.text(
        "log", "-z", f"--max-count={limit}", f"--format={_FORMAT}", *revisions, "--", *paths
    )
    values = text.split("\0")
    size = len(_FIELDS)
    return [_commit(values[i : i + size]) for i in range(0, len(values) - size + 1, size)]


def _commit(values: list[str]) -> Commit:
    sha, tree, parents, *people, message = values
    author, committer = people[:3], people[3:]
    return Commit(
        sha=sha,
        tree=tree,
        parents=tuple(parents.split()),
        author=Person(author[0], author[1], datetime.fromisoformat(author[2])),
        committer=Person(committer[0], committer[1], datetime.fromisoformat(committer[2])),
        message=message.rstrip("\n"),
    )


def count(git: Git, *revisions: str) -> int:
    """How many commits are reachable from some revisions and not from others (``^SHA``)."""
    return int(git.text("rev-list", "--count", *revisions, "--"))


def merge_base(git: Git, one: str, other: str) -> str | None:
    """The best common ancestor of two commits."""
    return git.text("merge-base", one, other, accept=(0, 1)) or None


def is_ancestor(git: Git, older: str, newer: str) -> bool:
    """Whether the older commit is in the newer one's history."""
    return merge_base(git, older, newer) == older


def touched_paths(git: Git, of: Iterable[Commit]) -> dict[str, Paths]:
    """The paths that each commit touched, compared with its first parent; a rename is two."""
    lines = "".join(f"{' '.join((commit.sha, *commit.parents[:1]))}\n" for commit in of)
    output = git.text(
        "diff-tree", "--stdin", "--root", "-r", "-z", "--no-renames", "--name-status",
        stdin=lines.encode(),
    )  # fmt: skip
    found: dict[str, Paths] = {}
    current = Paths()
    tokens = iter(token for token in output.split("\0") if token)
    for token in tokens:
        if is_sha(token):
            current = found.setdefault(token, Paths())
        else:
            kinds = {"A": current.added, "D": current.removed}
            kinds.get(token, current.modified).append(next(tokens))
    return found


def changed_files(git: Git, old: str | None, new: str) -> list[FileChange]:
    """The files that differ between two commits; None stands for nothing at all."""
    arguments = ("-r", "-z", "-M", old or EMPTY_TREE, new)
    lines = _line_counts(git.text("diff-tree", "--numstat", *arguments))
    tokens = iter(git.text("diff-tree", "--raw", *arguments).split("\0"))
    changes: list[FileChange] = []
    for token in tokens:
        if not token.startswith(":"):
            continue
        _, _, _, sha, kind = token[1:].split(" ")
        first = next(tokens)
        path, previous = (next(tokens), first) if kind[0] in "RC" else (first, None)
        added, deleted = lines.get(path, (0, 0))
        status = {"A": "added", "D": "removed", "R": "renamed", "C": "copied"}.get(
            kind[0], "modified"
        )
        changes.append(FileChange(path, previous, sha, status, added, deleted))
    return changes


def _line_counts(output: str) -> dict[str, tuple[int, int]]:
    """``git diff-tree --numstat -z``: added and deleted lines by path; binary files count none."""
    counts: dict[str, tuple[int, int]] = {}
    tokens = iter(output.split("\0"))
    for token in tokens:
        if not token:
            continue
        added, deleted, path = token.split("\t", 2)
        if not path:
            next(tokens)
            path = next(tokens)
        if added != "-":
            counts[path] = (int(added), int(deleted))
    return counts

"""New commits, made without a working tree."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from localcloud.github.git import NO_OBJECT, Git, GitError
from localcloud.github.trees import find

FILE_MODE = "100644"


class ConflictError(Exception):
    """Two commits can't be merged without a person."""


@dataclass(frozen=True)
class Identity:
    """Who makes a commit."""

    name: str
    email: str
    date: datetime | None = None


def make_commit(
    git: Git,
    tree: str,
    parents: Sequence[str],
    message: str,
    author: Identity,
    committer: Identity | None = None,
) -> str:
    """A commit object. Returns its SHA; no branch moves."""
    options = [argument for parent in parents for argument in ("-p", parent)]
    environment = {
        **_identity("AUTHOR", author),
        **_identity("COMMITTER", committer or author),
    }
    return git.text("commit-tree", tree, *options, stdin=message.encode(), environment=environment)


def _identity(role: str, identity: Identity) -> dict[str, str]:
    moment = identity.date or datetime.now(UTC)
    return {
        f"GIT_{role}_NAME": identity.name,
        f"GIT_{role}_EMAIL": identity.email,
        f"GIT_{role}_DATE": f"{int(moment.timestamp())} {moment:%z}",
    }


def tree_with_file(git: Git, commit: str, path: str, content: bytes) -> str:
    """The commit's tree with the file at ``path`` written; a mode that it has is kept.

    Raises:
        GitError: the path can't be a file there.
    """
    blob = git.text("hash-object", "-w", "--stdin", stdin=content)
    entry = find(git, commit, path)
    mode = entry.mode if entry and entry.kind == "blob" else FILE_MODE
    return _changed_tree(git, commit, ("--add", "--cacheinfo", f"{mode},{blob},{path}"))


def tree_without_file(git: Git, commit: str, path: str) -> str:
    """The commit's tree without the file at ``path``."""
    return _changed_tree(git, commit, ("-z", "--index-info"), f"0 {NO_OBJECT}\t{path}\0".encode())


def _changed_tree(git: Git, commit: str, update: Sequence[str], stdin: bytes = b"") -> str:
    with tempfile.TemporaryDirectory(dir=git.path, prefix="index-") as directory:
        index = {"GIT_INDEX_FILE": os.path.join(directory, "index")}
        git.run("read-tree", commit, environment=index)
        git.run("update-index", *update, stdin=stdin, environment=index)
        return git.text("write-tree", environment=index)


def merged_tree(git: Git, ours: str, theirs: str) -> str:
    """The tree of a merge of two commits.

    Raises:
        ConflictError: it needs a person.
        GitError: git is older than 2.38.
    """
    try:
        output = git.run("merge-tree", "--write-tree", "-z", ours, theirs, accept=(0, 1))
    except GitError as error:
        if "usage:" in str(error):
            raise GitError("merging needs git 2.38 or later") from None
        raise
    tree, _, conflicts = output.decode(errors="replace").partition("\0")
    if conflicts:
        raise ConflictError
    return tree

"""Trees and blobs."""

from dataclasses import dataclass

from localcloud.github.git import Git, GitError


@dataclass(frozen=True)
class Entry:
    """An entry of a tree; ``kind`` is blob, tree or commit (a submodule)."""

    path: str
    mode: str
    kind: str
    sha: str
    size: int | None


def list_tree(git: Git, tree: str, recursive: bool) -> list[Entry]:
    """The entries of a tree; recursively with the subtrees themselves, as GitHub lists them."""
    options = ("-r", "-t") if recursive else ()
    output = git.text("ls-tree", "-z", "-l", *options, tree)
    return [_entry(line) for line in output.split("\0") if line]


def find(git: Git, commit: str, path: str) -> Entry | None:
    """The entry at a path of a commit."""
    output = git.text("ls-tree", "-z", "-l", commit, "--", f":(literal){path}")
    lines = [line for line in output.split("\0") if line]
    return _entry(lines[0]) if lines else None


def _entry(line: str) -> Entry:
    description, path = line.split("\t", 1)
    mode, kind, sha, size = description.split()
    return Entry(path, mode, kind, sha, None if size == "-" else int(size))


def read_blob(git: Git, sha: str) -> bytes | None:
    """A blob's bytes, or None when there is no such blob."""
    try:
        return git.run("cat-file", "blob", sha)
    except GitError:
        return None

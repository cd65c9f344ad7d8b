"""Running the ``git`` binary on one bare repository, and checking names before they reach it."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
NO_OBJECT = "0" * 40

_SHA = re.compile(r"[0-9a-f]{40}")
_ABBREVIATED_SHA = re.compile(r"[0-9a-f]{4,40}")
_BAD_IN_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)")

# Nothing of the user's own configuration may change what the commands do.
_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


class GitError(Exception):
    """A git command failed; the text is what git said."""


class Git:
    """A repository by the path of its git directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        accept: Sequence[int] = (0,),
    ) -> bytes:
        """Run a command and return its output.

        Args:
            accept: exit codes that are answers, not failures.

        Raises:
            GitError: it ended with another exit code, or there is no git.
        """
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        try:
            ended = subprocess.run(
                ["git", f"--git-dir={self.path}", *arguments],
                input=stdin,
                capture_output=True,
                env={**inherited, **_ENVIRONMENT, **(environment or {})},
                check=False,
            )
        except (FileNotFoundError, ValueError) as error:
            raise GitError(str(error)) from None
        if ended.returncode not in accept:
            raise GitError(ended.stderr.decode(errors="replace").strip() or f"git {arguments[0]}")
        return ended.stdout

    def text(self, *arguments: str, **options: object) -> str:
        """Like ``run``, as text without the final line break."""
        return self.run(*arguments, **options).decode(errors="replace").rstrip("\n")  # type: ignore[arg-type]

    def refs(self) -> dict[str, str]:
        """All branches and tags: full name to the SHA that the ref holds."""
        lines = self.text(
            "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags"
        )
        return {name: sha for sha, name in (line.split(" ", 1) for line in lines.splitlines())}

    def object_id(self, name: str, kind: str = "commit") -> str | None:
        """The SHA of the commit (tree, blob) that a full ref name or SHA stands for, if any."""
        found = self.text(
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            f"{name}^{{{kind}}}",
            accept=(0, 1, 128),
        )
        return found if is_sha(found) else None

    def commit_id(self, name: str) -> str | None:
        """The commit that a branch, a tag or a (shortened) SHA stands for, as GitHub reads it."""
        if not name or not is_ref_name(name):
            return None
        for full in (f"refs/heads/{name}", f"refs/tags/{name}"):
            if found := self.object_id(full):
                return found
        return self.object_id(name) if _ABBREVIATED_SHA.fullmatch(name) else None

    def branch(self, name: str) -> str | None:
        """The commit at the head of a branch."""
        return self.object_id(f"refs/heads/{name}") if is_ref_name(name) else None

    def move_branch(self, name: str, new: str, old: str) -> None:
        """Let a branch point to a new commit, if it still points to the old one.

        Raises:
            GitError: somebody else moved it.
        """
        self.run("update-ref", "--create-reflog", f"refs/heads/{name}", new, old)


def is_sha(text: str) -> bool:
    """Whether the text is a whole SHA-1 in hex."""
    return _SHA.fullmatch(text) is not None


def is_ref_name(name: str) -> bool:
    """Whether git would take the name for a branch (``git check-ref-format``)."""
    return (
        bool(name)
        and not name.startswith(("-", "/", "."))
        and not name.endswith(("/", "."))
        and name != "@"
        and _BAD_IN_REF.search(name) is None
    )


def is_path(path: str) -> bool:
    """Whether a file can have this path in a repository."""
    parts = path.split("/")
    return (
        all(part and part not in (".", "..") and part.lower() != ".git" for part in parts)
        and not any(ord(character) < 32 or ord(character) == 127 for character in path)
        and len(path.encode(errors="replace")) < 4096
    )

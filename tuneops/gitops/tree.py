"""The config files and the policy's at a commit of the repository."""

import asyncio
import base64
from collections.abc import Iterable

from gidgethub.abc import GitHubAPI
from pydantic import BaseModel

from tuneops import config_file, policy_file
from tuneops.gitops.errors import TooManyError
from tuneops.gitops.snapshot import File
from tuneops.policy import FILE as POLICY_FILE
from tuneops.sources import ConfigSource

MAX_FILES = 2_000
SIDE_BY_SIDE = 8
"""So many files are read at the same time; GitHub takes a hundred calls at once."""


class _TreeEntry(BaseModel):
    path: str
    mode: str
    type: str
    sha: str
    size: int | None = None


class _Tree(BaseModel):
    tree: list[_TreeEntry]
    truncated: bool = False


async def read(
    api: GitHubAPI, repository: str, source: ConfigSource, commit: str
) -> tuple[File, ...]:
    """The files that count, without their contents; `repository` is its path in the API.

    Raises:
        TooManyError: there are more than are read.
    """
    answer = await api.getitem(f"{repository}/git/trees/{commit}?recursive=1")
    tree = _Tree.model_validate(answer)
    if tree.truncated:
        raise TooManyError("the repository's tree is too large for one answer")
    wanted = (e for e in tree.tree if e.type == "blob" and _is_wanted(e.path, source))
    files = [_file(entry) for entry in wanted]
    if len(files) > MAX_FILES:
        many = f"{len(files)} files, at most {MAX_FILES} are read"
        raise TooManyError(f"{source.configs} in {source.repository} means {many}")
    return tuple(sorted(files, key=lambda file: file.path))


async def contents(api: GitHubAPI, repository: str, files: Iterable[File]) -> dict[str, bytes]:
    """The contents of files, by path."""
    wanted, places = list(files), asyncio.Semaphore(SIDE_BY_SIDE)

    async def content(file: File) -> bytes:
        async with places:
            blob = await api.getitem(f"{repository}/git/blobs/{file.sha}")
        return base64.b64decode(blob["content"])

    found = await asyncio.gather(*map(content, wanted))
    return {file.path: each for file, each in zip(wanted, found, strict=True)}


def _is_wanted(path: str, source: ConfigSource) -> bool:
    return path == POLICY_FILE or source.covers(path)


def _file(entry: _TreeEntry) -> File:
    limit = policy_file.MAX_BYTES if entry.path == POLICY_FILE else config_file.MAX_BYTES
    problem = ""
    if entry.mode == "120000":
        problem = "is a symbolic link; put the file itself here"
    elif (entry.size or 0) > limit:
        problem = f"is larger than {limit // 1024} KiB"
    return File(entry.path, entry.sha, problem)

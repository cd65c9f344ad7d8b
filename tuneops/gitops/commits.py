"""Which commit made a file what it is, and what that says of itself."""

from typing import Any
from urllib.parse import urlencode

from gidgethub.abc import GitHubAPI
from pydantic import BaseModel

from tuneops.cause import Brought, brought


class _Person(BaseModel):
    name: str | None = None


class _Account(BaseModel):
    """GitHub also gives an empty one, for an author that it does not know."""

    login: str = ""


class _Content(BaseModel):
    message: str | None = None
    author: _Person | None = None


class _Commit(BaseModel):
    sha: str
    commit: _Content = _Content()
    author: _Account | None = None


def read(answer: Any) -> Brought:
    """What GitHub's answer says of a commit, whose author need not have an account."""
    found = _Commit.model_validate(answer)
    login = found.author.login if found.author else ""
    name = found.commit.author.name if found.commit.author else ""
    return brought(found.sha, found.commit.message or "", login or name or "")


async def last_of(api: GitHubAPI, repository: str, path: str, commit: str) -> Brought | None:
    """The last commit up to this one that changed a file; None if there is none."""
    where = urlencode({"path": path, "sha": commit, "per_page": 1})
    found = await api.getitem(f"{repository}/commits?{where}")
    return read(found[0]) if found else None

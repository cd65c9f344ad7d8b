"""A config file put back to what it was at an earlier release: as a pull request, or by hand."""

import base64
import shlex
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import gidgethub
from gidgethub.abc import GitHubAPI

PERMISSIONS = "Contents: write and Pull requests: write"


class ForbiddenError(Exception):
    """TuneOps may not write to the repository; the message says what is missing."""


class UnchangedError(Exception):
    """The file is at the tracked branch as it was then."""


@dataclass(frozen=True)
class Restoration:
    """What is put back: the file `before` at `commit`, to where it is `now`."""

    branch: str
    commit: str
    before: str
    now: str
    title: str
    body: str


@dataclass(frozen=True)
class Opened:
    """A pull request; `known`: it was open already."""

    number: int
    url: str
    known: bool


def by_hand(change: Restoration, tracked: str) -> list[str]:
    """The commands that do the same, for a clone of the repository."""
    now, branch = shlex.quote(change.now), shlex.quote(change.branch)
    then = shlex.quote(f"{change.commit}:{change.before}")
    return [
        f"git fetch origin && git switch -c {branch} {shlex.quote(f'origin/{tracked}')}",
        f"git show {then} > {now} && git add {now}",
        f"git commit -m {shlex.quote(change.title)}",
        f"git push -u origin {branch}",
    ]


async def propose(api: GitHubAPI, repository: str, tracked: str, change: Restoration) -> Opened:
    """The open pull request that puts the file back; it is opened if there is none.

    The branch has no other purpose: one that was left by an earlier attempt is begun anew. Only
    the one file is touched.

    Raises:
        ForbiddenError: TuneOps lacks a permission.
        UnchangedError: there is nothing to put back.
        gidgethub.GitHubException, httpx2.HTTPError: GitHub could not be asked.
    """
    if known := await _open(api, repository, tracked, change):
        return known
    head = str((await api.getitem(f"{repository}/branches/{quote(tracked)}"))["commit"]["sha"])
    wanted = await _file(api, repository, change.before, change.commit)
    present = await _file(api, repository, change.now, head)
    if wanted is None:
        raise UnchangedError(f"{change.before} is not in {change.commit[:8]} any more")
    if present and present["sha"] == wanted["sha"]:
        raise UnchangedError(f"{change.now} is on {tracked} as it was in {change.commit[:8]}")
    try:
        await _begin_branch(api, repository, change.branch, head)
        await _write(api, repository, change, wanted, present)
        return await _request(api, repository, tracked, change)
    except gidgethub.RateLimitExceeded:
        raise
    except gidgethub.BadRequest as error:
        if error.status_code != HTTPStatus.FORBIDDEN:
            raise
        raise ForbiddenError(
            f"GitHub does not let TuneOps write ({error}): grant its GitHub App, or its token, the"
            f" permissions {PERMISSIONS}, and accept them where the App is installed"
        ) from error


async def _open(
    api: GitHubAPI, repository: str, tracked: str, change: Restoration
) -> Opened | None:
    owner = repository.split("/")[2]
    query = urlencode({"state": "open", "head": f"{owner}:{change.branch}", "base": tracked})
    found = await api.getitem(f"{repository}/pulls?{query}")
    return _opened(found[0], known=True) if found else None


def _opened(pull: Any, *, known: bool) -> Opened:
    return Opened(int(pull["number"]), str(pull["html_url"]), known)


async def _file(api: GitHubAPI, repository: str, path: str, commit: str) -> Any | None:
    """What GitHub says of a file at a commit, None where there is none."""
    try:
        return await api.getitem(f"{_contents(repository, path)}?ref={commit}")
    except gidgethub.BadRequest as error:
        if error.status_code != HTTPStatus.NOT_FOUND:
            raise
        return None


async def _begin_branch(api: GitHubAPI, repository: str, branch: str, head: str) -> None:
    try:
        await api.post(f"{repository}/git/refs", data={"ref": f"refs/heads/{branch}", "sha": head})
    except gidgethub.BadRequest as error:
        if error.status_code != HTTPStatus.UNPROCESSABLE_ENTITY:
            raise
        await api.patch(
            f"{repository}/git/refs/heads/{quote(branch)}", data={"sha": head, "force": True}
        )


async def _write(
    api: GitHubAPI, repository: str, change: Restoration, wanted: Any, present: Any | None
) -> None:
    content = base64.b64encode(base64.b64decode(wanted["content"])).decode()
    body = {"message": change.title, "content": content, "branch": change.branch}
    if present:
        body["sha"] = present["sha"]
    await api.put(_contents(repository, change.now), data=body)


async def _request(api: GitHubAPI, repository: str, tracked: str, change: Restoration) -> Opened:
    data = {
        "title": change.title,
        "head": change.branch,
        "base": tracked,
        "body": change.body,
    }
    try:
        return _opened(await api.post(f"{repository}/pulls", data=data), known=False)
    except gidgethub.BadRequest as error:
        if error.status_code != HTTPStatus.UNPROCESSABLE_ENTITY:
            raise
        if known := await _open(api, repository, tracked, change):
            return known
        raise


def _contents(repository: str, path: str) -> str:
    return f"{repository}/contents/{quote(path)}"

"""The calls to GitHub's REST API that TuneOps makes."""

import asyncio
import base64
import ssl
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cache, partial
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import gidgethub
import httpx2
from gidgethub.abc import CACHE_TYPE
from gidgethub.httpx import GitHubAPI
from pydantic import BaseModel, TypeAdapter, ValidationError

from tuneops import config_file, policy_file
from tuneops.approvals import Approver
from tuneops.cause import Brought
from tuneops.gitops import (
    approvers,
    comments,
    commits,
    moves,
    restoration,
    standing,
    webhooks,
)
from tuneops.gitops.comments import Comment
from tuneops.gitops.errors import GitHubError, NoBranchError, TooManyError
from tuneops.gitops.login import Login, LoginError
from tuneops.gitops.moves import Moves
from tuneops.gitops.open_pulls import OpenPull, Page
from tuneops.gitops.pulls import Pull, merged_by
from tuneops.gitops.restoration import Opened, Restoration
from tuneops.gitops.snapshot import File, Head, Origin, Proposal, Snapshot, merged, touched
from tuneops.gitops.standing import Standing
from tuneops.gitops.webhooks import Webhooks
from tuneops.permissions.github import lacks_permission
from tuneops.policy import FILE as POLICY_FILE
from tuneops.sources import ConfigSource

TIMEOUT_SECONDS = 10
MAX_FILES = 2_000
MAX_PULL_PAGES = 10
SIDE_BY_SIDE = 8
"""So many files are read at the same time; GitHub takes a hundred calls at once."""
TASK = "tuneops"
NOT_ACCESSIBLE = "Resource not accessible"
"""What GitHub says where a permission is missing, and not where there are too many requests."""

T = TypeVar("T")


class _TreeEntry(BaseModel):
    path: str
    mode: str
    type: str
    sha: str
    size: int | None = None


class _Tree(BaseModel):
    tree: list[_TreeEntry]
    truncated: bool = False


class GitHub:
    """One source's repository, at the API's address, which may have a path of its own."""

    def __init__(self, api_url: str, source: ConfigSource, login: Login) -> None:
        self._api_url = api_url.rstrip("/")
        self._source = source
        self._login = login
        self._repository = f"/repos/{source.repository}"

    def head(self, etag: str = "") -> Head | None:
        """The newest commit of the tracked branch; None if `etag` is still that of the answer.

        GitHub does not count the question then.

        Raises:
            GitHubError: it could not be read.
        """
        known: CACHE_TYPE = {self._branch_url: (etag, None, None, None)} if etag else {}
        return _run(self._session(partial(self._head, known), known))

    def snapshot(self, head: Head | None = None) -> Snapshot:
        """The config files and the policy's at a commit, else at the tracked branch's newest.

        Raises:
            GitHubError: it could not be read whole.
        """

        async def read(api: GitHubAPI) -> Snapshot:
            return await self._snapshot(api, head)

        return _run(self._session(read))

    def open_pulls(self, known: Mapping[str, Page]) -> dict[str, Page]:
        """The pull requests that are open to the tracked branch, oldest first, in pages by address.

        GitHub does not count a page that is as it was when it was `known`. At most `MAX_PULL_PAGES`
        of 100 are read.

        Raises:
            GitHubError: they could not be read.
        """
        asked = {"state": "open", "base": self._source.branch, "per_page": 100}
        order = {"sort": "created", "direction": "asc"}
        first = f"{self._api_url}{self._repository}/pulls?{urlencode(asked | order)}"
        cache: CACHE_TYPE = {
            url: (page.etag, None, page.model_dump()["pulls"], page.more)
            for url, page in known.items()
        }

        async def read(api: GitHubAPI) -> dict[str, Page]:
            pages: dict[str, Page] = {}
            url: str | None = first
            while url and len(pages) < MAX_PULL_PAGES:
                pulls = [OpenPull.model_validate(pull) for pull in await api.getitem(url)]
                etag, _, _, more = cache[url]
                pages[url] = Page(etag=etag or "", pulls=tuple(pulls), more=more)
                url = more
            return pages

        return _run(self._session(read, cache))

    def proposal(self, number: int) -> Proposal | None:
        """What a pull request would make of the configs; None unless it is open to the branch.

        Raises:
            GitHubError: it could not be read whole.
        """

        async def read(api: GitHubAPI) -> Proposal | None:
            pull = await api.getitem(f"{self._repository}/pulls/{number}")
            branch, head = self._source.branch, str(pull["head"]["sha"])
            if pull["state"] != "open" or pull["base"]["ref"] != branch:
                return None
            compared = await api.getitem(f"{self._repository}/compare/{branch}...{head}?per_page=1")
            ancestor = str(compared["merge_base_commit"]["sha"])
            tracked = await self._snapshot(api)
            states = [Snapshot(sha, await self._files(api, sha)) for sha in (ancestor, head)]
            changed = touched(*states)
            snapshot = merged(tracked, states[1], changed)
            return Proposal(number, head, snapshot, changed, _origin(pull))

        return _run(self._session(read))

    def proposed(self, number: int) -> str:
        """The newest commit of a pull request.

        Raises:
            GitHubError: it could not be asked.
        """

        async def read(api: GitHubAPI) -> str:
            pull = await api.getitem(f"{self._repository}/pulls/{number}")
            return str(pull["head"]["sha"])

        return _run(self._session(read))

    def was_merged(self, number: int) -> bool:
        """Whether a pull request was merged.

        Raises:
            GitHubError: it could not be asked.
        """

        async def read(api: GitHubAPI) -> bool:
            pull = await api.getitem(f"{self._repository}/pulls/{number}")
            return pull["merged_at"] is not None

        return _run(self._session(read))

    def may_write(self, login: str) -> bool:
        """Whether somebody may push to the repository.

        Raises:
            GitHubError: it could not be asked.
        """

        async def read(api: GitHubAPI) -> bool:
            who = f"{self._repository}/collaborators/{quote(login, safe='')}/permission"
            try:
                return (await api.getitem(who))["permission"] in ("admin", "write")
            except gidgethub.BadRequest as error:
                if error.status_code == HTTPStatus.NOT_FOUND:
                    return False
                raise

        return bool(login) and _run(self._session(read))

    def pushers(self, branch: str, head: str) -> frozenset[str] | None:
        """Everybody who has moved a branch since it began; None where that can't be told.

        Raises:
            GitHubError: it could not be asked.
        """
        found = _run(
            self._session(
                lambda api: moves.read(api, self._repository, branch, moves.NO_COMMIT, head)
            )
        )
        by = frozenset(move.by for move in found.found)
        return by if found.whole and "" not in by else None

    def moves(self, start: str, end: str) -> Moves:
        """Who moved the tracked branch from one commit to a later one.

        Raises:
            GitHubError: it could not be asked.
        """
        branch = self._source.branch
        return _run(
            self._session(lambda api: moves.read(api, self._repository, branch, start, end))
        )

    def files_at(self, commit: str) -> dict[str, str] | None:
        """The ids of the config files' and the policy's contents at a commit.

        None if it has gone, or has more of them than are read.

        Raises:
            GitHubError: they could not be asked for.
        """

        async def read(api: GitHubAPI) -> dict[str, str] | None:
            try:
                return {file.path: file.sha for file in await self._files(api, commit)}
            except TooManyError:
                return None
            except gidgethub.BadRequest as error:
                if error.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY):
                    return None
                raise

        return _run(self._session(read))

    def brought(self, commit: str, paths: Iterable[str]) -> dict[str, Brought]:
        """The commits that made these files what they are at a commit, by path.

        Raises:
            GitHubError: it could not be asked.
        """
        wanted = list(paths)

        async def read(api: GitHubAPI) -> dict[str, Brought]:
            last = {
                path: await commits.last_of(api, self._repository, path, commit) for path in wanted
            }
            return {path: found for path, found in last.items() if found}

        return _run(self._session(read)) if wanted else {}

    def merged_pull(self, commit: str, path: str) -> int | None:
        """The pull request that brought a file to what it is at a commit of the tracked branch.

        None when it came by none. The commit may be later than the one that changed the file.

        Raises:
            GitHubError: it could not be asked.
        """

        async def find(api: GitHubAPI) -> int | None:
            where = urlencode({"path": path, "sha": commit, "per_page": 1})
            changed = await api.getitem(f"{self._repository}/commits?{where}")
            sha = str(changed[0]["sha"]) if changed else commit
            found = await api.getitem(f"{self._repository}/commits/{sha}/pulls?per_page=100")
            pulls = TypeAdapter(list[Pull]).validate_python(found)
            return merged_by(pulls, sha, self._source.branch)

        return _run(self._session(find))

    def comment(self, number: int, mark: str, body: str, *, only_update: bool = False) -> None:
        """Have one comment on a pull request that begins with `mark`, and let it be `body`.

        One that an outsider wrote is none, whatever it begins with: its author may change it.

        Raises:
            GitHubError: GitHub did not take it.
        """

        async def put(api: GitHubAPI) -> None:
            comments = f"{self._repository}/issues/{number}/comments"
            async for known in api.getiter(f"{comments}?per_page=100"):
                if str(known["body"] or "").startswith(mark) and not is_outsiders(known):
                    if known["body"] != body:
                        await api.patch(
                            f"{self._repository}/issues/comments/{known['id']}",
                            data={"body": body},
                        )
                    return
            if not only_update:
                await api.post(comments, data={"body": body})

        _run(self._session(put))

    def comments_since(self, number: int, since: datetime, etag: str) -> comments.Page | None:
        """The comments on a pull request since a time; None if they are still those of `etag`.

        Raises:
            GitHubError: they could not be read.
        """
        first = f"{self._api_url}{self._repository}/issues/{number}/comments"
        cache: CACHE_TYPE = {}
        return _run(
            self._session(lambda api: comments.read_since(api, cache, first, since, etag), cache)
        )

    def comment_of(self, number: int, comment: int) -> Comment | None:
        """A comment on a pull request by its id, None if it has gone.

        Raises:
            GitHubError: it could not be read.
        """
        return _run(
            self._session(lambda api: comments.read_one(api, self._repository, number, comment))
        )

    def react(self, comment: int, content: str) -> None:
        """Have a reaction to a comment, such as ``-1``.

        Raises:
            GitHubError: GitHub did not take it.
        """
        path = f"{self._repository}/issues/comments/{comment}/reactions"

        async def post(api: GitHubAPI) -> None:
            await api.post(path, data={"content": content})

        _run(self._session(post))

    def author(self, number: int) -> str:
        """Who opened a pull request, empty if the account has gone.

        Raises:
            GitHubError: it could not be asked.
        """

        async def read(api: GitHubAPI) -> str:
            pull = await api.getitem(f"{self._repository}/pulls/{number}")
            return str((pull["user"] or {}).get("login") or "")

        return _run(self._session(read))

    def approver(self, login: str, environments: Sequence[str]) -> Approver:
        """What is known of somebody, and of the first of the environments that has reviewers.

        Raises:
            approvers.HiddenError: TuneOps lacks a permission.
            GitHubError: it could not be asked.
        """
        return _run(
            self._session(lambda api: approvers.read(api, self._repository, login, environments))
        )

    def propose(self, change: Restoration) -> Opened:
        """Have a pull request to the tracked branch that puts a config file back.

        Raises:
            ForbiddenError, UnchangedError: it can't be had.
            GitHubError: GitHub could not be asked.
        """
        branch = self._source.branch
        return _run(
            self._session(lambda api: restoration.propose(api, self._repository, branch, change))
        )

    def standing(self) -> Standing:
        """What GitHub lets TuneOps do.

        Raises:
            GitHubError: it could not be asked, or shows no such repository.
        """
        return _run(
            self._session(lambda api: standing.read(api, self._repository, self._login.signature()))
        )

    def webhooks(self) -> Webhooks:
        """The webhooks that could tell of the repository.

        Raises:
            GitHubError: they could not be read.
        """
        return _run(
            self._session(lambda api: webhooks.read(api, self._repository, self._login.signature()))
        )

    def contents(self, files: Iterable[File]) -> dict[str, bytes]:
        """The contents of files, by path.

        Raises:
            GitHubError: one could not be read.
        """
        wanted = list(files)

        async def read(api: GitHubAPI) -> dict[str, bytes]:
            places = asyncio.Semaphore(SIDE_BY_SIDE)

            async def content(file: File) -> bytes:
                async with places:
                    return await self._content(api, file.sha)

            found = await asyncio.gather(*map(content, wanted))
            return {file.path: each for file, each in zip(wanted, found, strict=True)}

        return _run(self._session(read)) if wanted else {}

    def set_status(
        self, commit: str, *, state: str, context: str, description: str, url: str
    ) -> None:
        """Set a commit status; `description` is cut to GitHub's 140 characters.

        Raises:
            GitHubError: GitHub did not take it.
        """
        body = {"state": state, "context": context, "description": description[:140]}
        if url:
            body["target_url"] = url

        async def post(api: GitHubAPI) -> None:
            await api.post(f"{self._repository}/statuses/{commit}", data=body)

        _run(self._session(post))

    def set_deployment(
        self, commit: str, environment: str, *, state: str, description: str, url: str, log_url: str
    ) -> None:
        """Let the deployment of a commit to an environment have a status; it is made if absent.

        `url` is the page of what is deployed. `description` is cut to GitHub's 140 characters.

        Raises:
            GitHubError: GitHub did not take it.
        """
        deployments = f"{self._repository}/deployments"
        body: dict[str, object] = {
            "state": state,
            "description": description[:140],
            "environment_url": url,
            "log_url": log_url,
        }

        async def put(api: GitHubAPI) -> None:
            where = urlencode({"sha": commit, "environment": environment, "task": TASK})
            known = await api.getitem(f"{deployments}?{where}")
            made = (
                known[0]
                if known
                else await api.post(deployments, data=_deployment(commit, environment))
            )
            await api.post(f"{deployments}/{made['id']}/statuses", data=body)

        _run(self._session(put))

    @property
    def _branch_url(self) -> str:
        return f"{self._api_url}{self._repository}/branches/{quote(self._source.branch)}"

    async def _head(self, cache: CACHE_TYPE, api: GitHubAPI) -> Head | None:
        branch = await self._branch(api)
        if branch is None:
            return None
        commit = branch["commit"]
        etag = cache[self._branch_url][0] if self._branch_url in cache else ""
        message, parents = str(commit["commit"]["message"]), commit.get("parents") or ()
        before = tuple(str(parent["sha"]) for parent in parents)
        return Head(str(commit["sha"]), message, etag or "", before, commits.read(commit))

    async def _snapshot(self, api: GitHubAPI, head: Head | None = None) -> Snapshot:
        found = head or await self._head({}, api)
        if found is None:
            raise ValueError("the branch has no commit")
        return Snapshot(found.commit, await self._files(api, found.commit), found.message)

    async def _branch(self, api: GitHubAPI) -> Any:
        source = self._source
        try:
            return await api.getitem(self._branch_url)
        except gidgethub.BadRequest as error:
            if error.status_code != HTTPStatus.NOT_FOUND:
                raise
            raise NoBranchError(
                f"GitHub shows no branch {source.branch} of {source.repository}: mend the source's "
                "repository or branch, or let the App or token see it"
            ) from error

    async def _files(self, api: GitHubAPI, commit: str) -> tuple[File, ...]:
        answer = await api.getitem(f"{self._repository}/git/trees/{commit}?recursive=1")
        tree = _Tree.model_validate(answer)
        if tree.truncated:
            raise TooManyError("the repository's tree is too large for one answer")
        wanted = (e for e in tree.tree if e.type == "blob" and self._is_wanted(e.path))
        files = [_file(entry) for entry in wanted]
        if len(files) > MAX_FILES:
            many = f"{len(files)} files, at most {MAX_FILES} are read"
            raise TooManyError(f"{self._source.configs} in {self._source.repository} means {many}")
        return tuple(sorted(files, key=lambda file: file.path))

    def _is_wanted(self, path: str) -> bool:
        return path == POLICY_FILE or self._source.covers(path)

    async def _content(self, api: GitHubAPI, sha: str) -> bytes:
        blob = await api.getitem(f"{self._repository}/git/blobs/{sha}")
        return base64.b64decode(blob["content"])

    async def _session(
        self, work: Callable[[GitHubAPI], Awaitable[T]], cache: CACHE_TYPE | None = None
    ) -> T:
        """The work's result; what is in the `cache` is asked for only if it has changed."""
        refused: list[str] = []
        try:
            return await self._signed_in(work, cache, refused)
        except LoginError as error:
            raise GitHubError(str(error)) from error
        except gidgethub.HTTPException as error:
            if refused and NOT_ACCESSIBLE in str(error):
                said = lacks_permission(refused[-1], self._source.repository)
                raise GitHubError(said) from error
            permanent = error.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
            raise GitHubError(f"{type(error).__name__}: {error}"[:300], permanent) from error
        except (gidgethub.GitHubException, httpx2.HTTPError) as error:
            raise GitHubError(f"{type(error).__name__}: {error}"[:300]) from error
        except (KeyError, TypeError, ValueError, ValidationError) as error:
            raise GitHubError(f"unexpected answer ({type(error).__name__})") from error

    async def _signed_in(
        self,
        work: Callable[[GitHubAPI], Awaitable[T]],
        cache: CACHE_TYPE | None,
        refused: list[str],
    ) -> T:
        """The work's result; begun again, once, with a new token if GitHub refuses the old."""
        async with self._api(cache, refused) as api:
            token = api.oauth_token = await self._login.token(api)
            try:
                return await work(api)
            except gidgethub.BadRequest as error:
                if error.status_code != HTTPStatus.UNAUTHORIZED:
                    raise
                self._login.refused(token)
            api.oauth_token = await self._login.token(api)
            return await work(api)

    @asynccontextmanager
    async def _api(self, cache: CACHE_TYPE | None, refused: list[str]) -> AsyncIterator[GitHubAPI]:
        """The API; `refused` gets the permissions that GitHub wants where it forbids something."""

        async def note(answer: httpx2.Response) -> None:
            accepted = answer.headers.get("x-accepted-github-permissions")
            if accepted and answer.status_code == HTTPStatus.FORBIDDEN:
                refused.append(accepted)

        async with httpx2.AsyncClient(
            timeout=TIMEOUT_SECONDS, verify=_trust(), event_hooks={"response": [note]}
        ) as client:
            yield GitHubAPI(client, "tuneops", base_url=self._api_url, cache=cache)


@cache
def _trust() -> ssl.SSLContext:
    """Which certificates are trusted; it takes longer to read them than to ask GitHub."""
    return httpx2.create_ssl_context()


def is_outsiders(comment: Any) -> bool:
    """Whether a comment is of a person who may not write to the repository."""
    person = (comment.get("user") or {}).get("type") != "Bot"
    return person and comment.get("author_association") in comments.OUTSIDERS


def _origin(pull: Any) -> Origin:
    """Where a pull request comes from; a fork or an account may have been deleted since."""
    head, user = pull["head"], pull["user"] or {}
    repository = (head["repo"] or {}).get("full_name", "")
    return Origin(str(user.get("login", "")), str(repository), str(head["ref"]))


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def _deployment(commit: str, environment: str) -> dict[str, object]:
    """A deployment that GitHub neither merges for nor waits with for statuses."""
    return {
        "ref": commit,
        "environment": environment,
        "task": TASK,
        "auto_merge": False,
        "required_contexts": [],
    }


def _file(entry: _TreeEntry) -> File:
    limit = policy_file.MAX_BYTES if entry.path == POLICY_FILE else config_file.MAX_BYTES
    problem = ""
    if entry.mode == "120000":
        problem = "is a symbolic link; put the file itself here"
    elif (entry.size or 0) > limit:
        problem = f"is larger than {limit // 1024} KiB"
    return File(entry.path, entry.sha, problem)

"""What TuneOps reads and writes of one repository at GitHub."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import gidgethub
from gidgethub.abc import CACHE_TYPE
from gidgethub.httpx import GitHubAPI
from pydantic import TypeAdapter

from tuneops.approvals import Approver
from tuneops.cause import Brought
from tuneops.gitops import (
    approvers,
    comments,
    commits,
    moves,
    restoration,
    standing,
    telling,
    tree,
    webhooks,
)
from tuneops.gitops.comments import Comment
from tuneops.gitops.errors import NoBranchError, TooManyError
from tuneops.gitops.login import Login
from tuneops.gitops.moves import Moves
from tuneops.gitops.open_pulls import OpenPull, Page
from tuneops.gitops.pulls import Pull, merged_by
from tuneops.gitops.restoration import Opened, Restoration
from tuneops.gitops.session import Session
from tuneops.gitops.snapshot import File, Head, Origin, Proposal, Snapshot, merged, touched
from tuneops.gitops.standing import Standing
from tuneops.gitops.webhooks import Webhooks
from tuneops.sources import ConfigSource

MAX_PULL_PAGES = 10


class GitHub:
    """One source's repository, at the API's address, which may have a path of its own."""

    def __init__(self, api_url: str, source: ConfigSource, login: Login) -> None:
        self._api_url = api_url.rstrip("/")
        self._source = source
        self._login = login
        self._repository = f"/repos/{source.repository}"
        self._session = Session(self._api_url, source.repository, login)

    def head(self, etag: str = "") -> Head | None:
        """The newest commit of the tracked branch; None if `etag` is still that of the answer.

        GitHub does not count the question then.

        Raises:
            GitHubError: it could not be read.
        """
        known: CACHE_TYPE = {self._branch_url: (etag, None, None, None)} if etag else {}
        return self._session.run(partial(self._head, known), known)

    def snapshot(self, head: Head | None = None) -> Snapshot:
        """The config files and the policy's at a commit, else at the tracked branch's newest.

        Raises:
            GitHubError: it could not be read whole.
        """

        async def read(api: GitHubAPI) -> Snapshot:
            return await self._snapshot(api, head)

        return self._session.run(read)

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

        return self._session.run(read, cache)

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

        return self._session.run(read)

    def proposed(self, number: int) -> str:
        """The newest commit of a pull request.

        Raises:
            GitHubError: it could not be asked.
        """

        async def read(api: GitHubAPI) -> str:
            pull = await api.getitem(f"{self._repository}/pulls/{number}")
            return str(pull["head"]["sha"])

        return self._session.run(read)

    def was_merged(self, number: int) -> bool:
        """Whether a pull request was merged.

        Raises:
            GitHubError: it could not be asked.
        """

        async def read(api: GitHubAPI) -> bool:
            pull = await api.getitem(f"{self._repository}/pulls/{number}")
            return pull["merged_at"] is not None

        return self._session.run(read)

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

        return bool(login) and self._session.run(read)

    def pushers(self, branch: str, head: str) -> frozenset[str] | None:
        """Everybody who has moved a branch since it began; None where that can't be told.

        Raises:
            GitHubError: it could not be asked.
        """
        found = self._session.run(
            lambda api: moves.read(api, self._repository, branch, moves.NO_COMMIT, head)
        )
        by = frozenset(move.by for move in found.found)
        return by if found.whole and "" not in by else None

    def moves(self, start: str, end: str) -> Moves:
        """Who moved the tracked branch from one commit to a later one.

        Raises:
            GitHubError: it could not be asked.
        """
        branch = self._source.branch
        return self._session.run(lambda api: moves.read(api, self._repository, branch, start, end))

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

        return self._session.run(read)

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

        return self._session.run(read) if wanted else {}

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

        return self._session.run(find)

    def comment(self, number: int, mark: str, body: str, *, only_update: bool = False) -> None:
        """Have one comment on a pull request that begins with `mark`, and let it be `body`.

        One that an outsider wrote is none, whatever it begins with: its author may change it.

        Raises:
            GitHubError: GitHub did not take it.
        """
        self._session.run(
            lambda api: telling.comment(
                api, self._repository, number, mark, body, only_update=only_update
            )
        )

    def comments_since(self, number: int, since: datetime, etag: str) -> comments.Page | None:
        """The comments on a pull request since a time; None if they are still those of `etag`.

        Raises:
            GitHubError: they could not be read.
        """
        first = f"{self._api_url}{self._repository}/issues/{number}/comments"
        cache: CACHE_TYPE = {}
        return self._session.run(
            lambda api: comments.read_since(api, cache, first, since, etag), cache
        )

    def comment_of(self, number: int, comment: int) -> Comment | None:
        """A comment on a pull request by its id, None if it has gone.

        Raises:
            GitHubError: it could not be read.
        """
        return self._session.run(
            lambda api: comments.read_one(api, self._repository, number, comment)
        )

    def react(self, comment: int, content: str) -> None:
        """Have a reaction to a comment, such as ``-1``.

        Raises:
            GitHubError: GitHub did not take it.
        """
        self._session.run(lambda api: telling.react(api, self._repository, comment, content))

    def author(self, number: int) -> str:
        """Who opened a pull request, empty if the account has gone.

        Raises:
            GitHubError: it could not be asked.
        """

        async def read(api: GitHubAPI) -> str:
            pull = await api.getitem(f"{self._repository}/pulls/{number}")
            return str((pull["user"] or {}).get("login") or "")

        return self._session.run(read)

    def approver(self, login: str, environments: Sequence[str]) -> Approver:
        """What is known of somebody, and of the first of the environments that has reviewers.

        Raises:
            approvers.HiddenError: TuneOps lacks a permission.
            GitHubError: it could not be asked.
        """
        return self._session.run(
            lambda api: approvers.read(api, self._repository, login, environments)
        )

    def propose(self, change: Restoration) -> Opened:
        """Have a pull request to the tracked branch that puts a config file back.

        Raises:
            ForbiddenError, UnchangedError: it can't be had.
            GitHubError: GitHub could not be asked.
        """
        branch = self._source.branch
        return self._session.run(
            lambda api: restoration.propose(api, self._repository, branch, change)
        )

    def standing(self) -> Standing:
        """What GitHub lets TuneOps do.

        Raises:
            GitHubError: it could not be asked, or shows no such repository.
        """
        return self._session.run(
            lambda api: standing.read(api, self._repository, self._login.signature())
        )

    def webhooks(self) -> Webhooks:
        """The webhooks that could tell of the repository.

        Raises:
            GitHubError: they could not be read.
        """
        return self._session.run(
            lambda api: webhooks.read(api, self._repository, self._login.signature())
        )

    def contents(self, files: Iterable[File]) -> dict[str, bytes]:
        """The contents of files, by path.

        Raises:
            GitHubError: one could not be read.
        """
        wanted = list(files)
        if not wanted:
            return {}
        return self._session.run(lambda api: tree.contents(api, self._repository, wanted))

    def set_status(
        self, commit: str, *, state: str, context: str, description: str, url: str
    ) -> None:
        """Set a commit status; `description` is cut to GitHub's 140 characters.

        Raises:
            GitHubError: GitHub did not take it.
        """
        self._session.run(
            lambda api: telling.status(
                api,
                self._repository,
                commit,
                state=state,
                context=context,
                description=description,
                url=url,
            )
        )

    def set_deployment(
        self, commit: str, environment: str, *, state: str, description: str, url: str, log_url: str
    ) -> None:
        """Let the deployment of a commit to an environment have a status; it is made if absent.

        `url` is the page of what is deployed. `description` is cut to GitHub's 140 characters.

        Raises:
            GitHubError: GitHub did not take it.
        """
        self._session.run(
            lambda api: telling.deployment(
                api,
                self._repository,
                commit,
                environment,
                state=state,
                description=description,
                url=url,
                log_url=log_url,
            )
        )

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
        return await tree.read(api, self._repository, self._source, commit)


def _origin(pull: Any) -> Origin:
    """Where a pull request comes from; a fork or an account may have been deleted since."""
    head, user = pull["head"], pull["user"] or {}
    repository = (head["repo"] or {}).get("full_name", "")
    return Origin(str(user.get("login", "")), str(repository), str(head["ref"]))

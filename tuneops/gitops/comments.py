"""Comments on a merged pull request, as GitHub has them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import gidgethub
from gidgethub.abc import CACHE_TYPE, GitHubAPI
from pydantic import AwareDatetime, BaseModel, Field

MAX_PAGES = 10
OURS = "<!-- tuneops-"
OUTSIDERS = ("CONTRIBUTOR", "FIRST_TIMER", "FIRST_TIME_CONTRIBUTOR", "MANNEQUIN", "NONE")


class _User(BaseModel):
    login: str
    type: str = "User"


class Comment(BaseModel):
    """A comment; whoever may write to the repository may have changed an `edited` one."""

    id: int = Field(ge=1, lt=2**63)
    body: str | None = None
    user: _User | None = None
    author_association: str = "NONE"
    issue_url: str = ""
    created_at: AwareDatetime
    updated_at: AwareDatetime

    @property
    def login(self) -> str:
        """Who wrote it, empty for an account that has gone."""
        return self.user.login if self.user else ""

    @property
    def is_by_people(self) -> bool:
        """Whether a person wrote it, and not a bot or TuneOps."""
        bot = self.user is None or self.user.type == "Bot"
        return not bot and not (self.body or "").startswith(OURS)

    @property
    def is_outsiders(self) -> bool:
        """Whether it is of somebody who has no part in the repository."""
        return self.author_association in OUTSIDERS

    @property
    def edited(self) -> bool:
        """Whether it is not what was written first."""
        return self.updated_at != self.created_at


@dataclass(frozen=True)
class Page:
    """Comments, oldest first, and the ETag with which they are asked for the next time."""

    comments: tuple[Comment, ...]
    etag: str = ""


async def read_since(
    api: GitHubAPI, cache: CACHE_TYPE, first: str, since: datetime, etag: str
) -> Page | None:
    """The comments below the address `first` since a time; None if they are still those of `etag`.

    `cache` is the API's; GitHub does not count the question then.
    """
    asked = {"since": f"{since:%Y-%m-%dT%H:%M:%SZ}", "per_page": 100}
    url = f"{first}?{urlencode(asked)}"
    if etag:
        cache[url] = (etag, None, None, None)
    found: list[Any] = []
    known = ""
    for number in range(MAX_PAGES):
        page = await api.getitem(url)
        if page is None:
            return None
        found += page
        tag, _, _, more = cache.get(url, (None, None, None, None))
        known = "" if more or number else tag or ""
        if not more:
            break
        url = more
    return Page(tuple(_read(found)), known)


async def read_one(api: GitHubAPI, repository: str, number: int, comment: int) -> Comment | None:
    """A comment on pull request `number`, None if it has gone or is on another."""
    try:
        answer = await api.getitem(f"{repository}/issues/comments/{comment}")
    except gidgethub.BadRequest as error:
        if error.status_code == HTTPStatus.NOT_FOUND:
            return None
        raise
    found = Comment.model_validate(answer)
    return found if found.issue_url.endswith(f"/issues/{number}") else None


def _read(found: Iterable[Any]) -> Iterable[Comment]:
    return (Comment.model_validate(each) for each in found)

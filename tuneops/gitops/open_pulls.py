"""Which open pull requests have not been reviewed as they are now. Pure."""

from collections.abc import Iterator

from pydantic import Field

from tuneops import names
from tuneops.document import Document
from tuneops.policy import Policy

MAX_AGAIN = 3
"""So often a review that left something open is done again: each sets another status."""
_OPEN = "?"


class _Head(Document):
    sha: str


class OpenPull(Document):
    """A pull request, as far as it matters whether it was reviewed."""

    number: int = Field(ge=1, lt=2**53)
    head: _Head


class Page(Document):
    """A page of open pull requests with its ETag, and the address of the next."""

    etag: str
    pulls: tuple[OpenPull, ...]
    more: str | None = None


class Reviews(Document):
    """The open pull requests as they were listed last, and what each was reviewed as."""

    pages: dict[str, Page] = {}
    reviewed: dict[int, str] = {}

    @property
    def open(self) -> Iterator[OpenPull]:
        """All of them."""
        return (pull for page in self.pages.values() for pull in page.pulls)

    def reviewed_as(self, number: int, what: str) -> "Reviews":
        """These, with one more review."""
        return self.replace(reviewed={**self.reviewed, number: what})

    def left_open(self, number: int, what: str) -> "Reviews":
        """These, with a review that is to be done again, unless it was often enough."""
        before = self.reviewed.get(number, "")
        times = before.count(_OPEN) + 1 if before.startswith(what) else 1
        return self.reviewed_as(number, what + _OPEN * times if times <= MAX_AGAIN else what)

    def listed(self, pages: dict[str, Page]) -> "Reviews":
        """These with another list; what is not open any more is forgotten."""
        now = self.replace(pages=pages)
        numbers = {pull.number for pull in now.open}
        return now.replace(reviewed={n: what for n, what in self.reviewed.items() if n in numbers})

    def missing(self, policy: Policy) -> list[int]:
        """The pull requests that were not reviewed at their head under this policy."""
        return [
            pull.number
            for pull in self.open
            if self.reviewed.get(pull.number) != review_of(pull.head.sha, policy)
        ]


def review_of(head: str, policy: Policy) -> str:
    """Names a review: of a pull request's head, under the policy of the tracked branch."""
    return names.digest(head, policy.model_dump(mode="json"))

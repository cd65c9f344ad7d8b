"""Which of a commit's pull requests brought it to the tracked branch. Pure."""

from collections.abc import Iterable

from pydantic import AwareDatetime, BaseModel, Field


class Base(BaseModel):
    """The branch that a pull request goes to."""

    ref: str


class Pull(BaseModel):
    """A pull request as GitHub lists it with a commit."""

    number: int = Field(ge=1, lt=2**53)
    base: Base
    merged_at: AwareDatetime | None = None
    merge_commit_sha: str | None = None


def merged_by(pulls: Iterable[Pull], commit: str, branch: str) -> int | None:
    """The number of the pull request that was merged as `commit`, else of the first with it in."""
    merged = [
        (pull.merge_commit_sha != commit, pull.merged_at, pull.number)
        for pull in pulls
        if pull.merged_at and pull.base.ref == branch
    ]
    return min(merged)[2] if merged else None

"""What has led to a release: a commit, new data, or somebody's order; as it is stored. Pure."""

import re

from tuneops.document import Document
from tuneops.scrub import scrub

MAX_SUBJECT = 200
MAX_AUTHOR = 100
_MERGE = re.compile(r"Merge pull request #(?P<number>\d+) from \S+\s*\n\s*(?P<title>\S[^\n]*)")


class Brought(Document):
    """The commit that brought a config: its id, what its message says first, and its author.

    The author is a login where GitHub knows one, else the name that the commit gives.
    """

    commit: str
    subject: str = ""
    author: str = ""


class Cause(Document):
    """What has led to a release.

    `config` and `data` say what of the two the release before did not have. `brought` is None where
    it is not known; `order` says what else it was, if neither is new.
    """

    brought: Brought | None = None
    config: bool = False
    data: bool = False
    order: str = ""


def brought(commit: str, message: str, author: str) -> Brought:
    """What a commit says of itself, cut and without what looks like a secret."""
    return Brought(
        commit=commit,
        subject=scrub(_subject(message))[:MAX_SUBJECT],
        author=scrub(author)[:MAX_AUTHOR],
    )


def _subject(message: str) -> str:
    """The first line; of a merge by GitHub the pull request's title, as a squash has it."""
    merge = _MERGE.match(message)
    if merge:
        return f"{merge['title'].strip()} (#{merge['number']})"
    return message.strip().partition("\n")[0].strip()

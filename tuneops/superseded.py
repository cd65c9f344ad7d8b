"""What was live before, as it is stored with its project."""

from datetime import datetime

from tuneops.document import Document

MAX_REMEMBERED = 10


class Superseded(Document):
    """A deployment that was live, as ENDPOINT/DEPLOYMENT, until then."""

    deployment: str
    at: datetime


def superseding(
    previous: tuple[Superseded, ...], before: str, now_live: str, at: datetime
) -> tuple[Superseded, ...]:
    """What was live before `now_live`, the newest first; `before` is what was live until `at`."""
    others = tuple(each for each in previous if each.deployment not in (before, now_live))
    if before in ("", now_live):
        return others
    return (Superseded(deployment=before, at=at), *others)[:MAX_REMEMBERED]

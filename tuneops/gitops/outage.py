"""A repository that can't be read: since when, and that people are told of it once. Pure."""

from datetime import datetime, timedelta

from tuneops.document import Document
from tuneops.message import Message
from tuneops.names import project_key
from tuneops.notify.plain import fitted

TOLD_AFTER = timedelta(minutes=4)
"""By the second tick of the timer that does not get through."""
_FOLLOWING = "it is tried again every few minutes; what is live serves on"


class Outage(Document):
    """Since when a repository can't be read, and why; `told` once people were told."""

    since: datetime
    error: str
    told: bool = False

    @property
    def text(self) -> str:
        """What is wrong, in a line."""
        return f"it can't be read since {self.since:%Y-%m-%d %H:%M} UTC: {self.error}"


def lasting(before: Outage | None, error: str, now: datetime) -> Outage:
    """The outage after one more reading in vain."""
    known = before or Outage(since=now, error=error)
    due = now - known.since >= TOLD_AFTER
    return known.replace(error=error, told=known.told or due)


def news(
    before: Outage | None, outage: Outage, environment: str, repository: str, now: datetime
) -> tuple[Message, ...]:
    """What people are to be told of it: once that it lasts."""
    if not outage.told or (before and before.told):
        return ()
    told = Message(
        key=f"unread:{project_key(environment, repository)}:{outage.since.isoformat()}",
        event="held",
        title=f"{repository} can't be read",
        text=outage.text,
        at=now,
        severity="warning",
        environment=environment,
        following=_FOLLOWING,
    )
    return (fitted(told),)

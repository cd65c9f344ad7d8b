"""What people order for a project beside git: to go back, to try again, or to stand still."""

from datetime import datetime

from tuneops.document import Document
from tuneops.rollout.question import Said


class Pin(Document):
    """An emergency: the project is held at an earlier release, whatever git and the data say.

    `id` tells one order from the next.
    """

    id: str
    release: int
    by: str
    at: datetime
    reason: str = ""

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return (
            f"pinned to release {self.release} by {self.by} since {self.at:%Y-%m-%d %H:%M} UTC{why}"
        )


class Retry(Document):
    """What came of this release, the project's newest, does not count: it is tried again."""

    release: int
    by: str
    at: datetime


class Suspension(Document):
    """Nothing is begun, changed or taken down until it is resumed; what is live serves on.

    `id` tells one order from the next.
    """

    id: str
    by: str
    at: datetime
    reason: str = ""

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"suspended by {self.by} since {self.at:%Y-%m-%d %H:%M} UTC{why}"

    def stays(self, pin: Pin | None) -> bool:
        """Whether it holds up what is desired: a pin that was ordered later goes live first."""
        return pin is None or pin.at < self.at


class Orders(Document):
    """The orders in force; `ended` says what became of the last pin, `said` answers a question.

    `resumed` says who ended the last suspension.
    """

    pin: Pin | None = None
    ended: str = ""
    retry: Retry | None = None
    said: Said | None = None
    suspension: Suspension | None = None
    resumed: str = ""

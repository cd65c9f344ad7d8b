"""A message to one channel: as it is owed, and what became of it. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tuneops.document import Document
from tuneops.message import Message
from tuneops.notify.routing import Route, due

LEAST_ATTEMPTS = 10
GIVE_UP_AFTER = timedelta(days=1)
"""So long after it was due, and the first try in vain, a message is given up, and no earlier."""


class Settled(Document):
    """What became of a message: it was sent, or given up because of the error."""

    key: str
    event: str
    title: str
    at: datetime
    release: int | None = None
    attempts: int = 0
    sent_at: datetime | None = None
    error: str = ""


class Letter(Document):
    """A message that is owed."""

    message: Message
    attempts: int = 0
    error: str = ""

    @property
    def key(self) -> str:
        """The message's key."""
        return self.message.key

    @property
    def thread(self) -> str:
        """Names the thread that it belongs to, empty when it is of no release."""
        message = self.message
        return "" if message.release is None else f"{message.project}:{message.release}"

    def is_held(self, route: Route) -> bool:
        """Whether the route holds back such a message at all."""
        return due(route, self.message, self.message.at) > self.message.at

    def settled(self, sent_at: datetime | None) -> Settled:
        """What remains of it."""
        message = self.message
        return Settled(
            key=message.key,
            event=message.event,
            title=message.title,
            at=message.at,
            release=message.release,
            attempts=self.attempts,
            sent_at=sent_at,
            error=self.error,
        )


@dataclass(frozen=True)
class Series:
    """Tries in vain, without one that was not between them."""

    since: datetime
    failures: int

    def gives_up(self, letter: Letter, route: Route, now: datetime) -> bool:
        """Whether the letter has waited long enough."""
        begun = max(self.since, due(route, letter.message, letter.message.at))
        return self.failures >= LEAST_ATTEMPTS and now - begun >= GIVE_UP_AFTER

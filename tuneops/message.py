"""What people are owed, and how far it has come."""

from datetime import datetime

from tuneops.document import Document


class Delivery(Document):
    """How far one message has come on one channel."""

    attempts: int = 0
    sent_at: datetime | None = None
    retry_at: datetime | None = None
    gave_up: bool = False
    error: str = ""

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be done."""
        return self.sent_at is not None or self.gave_up


class Message(Document):
    """Something people are owed; `key` is unique within its document.

    `phase` is the release's when it was told. `only`: the one channel that it is for, if not all.
    `path` is that of the config file.
    """

    key: str
    event: str
    phase: str = ""
    title: str
    text: str
    at: datetime
    commit: str = ""
    links: dict[str, str] = {}
    only: str = ""
    path: str = ""
    deliveries: dict[str, Delivery] = {}

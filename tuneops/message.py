"""What people are owed, and how far it has come."""

from datetime import datetime
from typing import Literal

from tuneops.curves import Curve
from tuneops.document import Document

Severity = Literal["info", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error")
"""From the least on."""


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
    `channels` are the names of those that its project has chosen, None for all.
    `path` is that of the config file. `project` and `release` are empty where it is of none, and
    `environment` where the project names it; the messages of one release make a thread. `model` is
    what it is about, `why` who or what led to it, `figure` the number that matters with its change,
    `following` what happens next.
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
    channels: tuple[str, ...] | None = None
    path: str = ""
    severity: Severity = "info"
    project: str = ""
    environment: str = ""
    release: int | None = None
    model: str = ""
    why: str = ""
    figure: str = ""
    following: str = ""
    curves: tuple[Curve, ...] = ()
    deliveries: dict[str, Delivery] = {}

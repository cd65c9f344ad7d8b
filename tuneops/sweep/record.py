"""What was swept away, as it was, so that it can be brought back. Pure."""

from datetime import datetime
from typing import Any

from tuneops.document import Document
from tuneops.message import Message
from tuneops.sweep.finding import Finding
from tuneops.sweep.resource import Resource

UNDER_WAY = "under way"
DONE = "restored"
FAILED = "failed"


class Restoration(Document):
    """An order to bring it back: who gave it, what was begun, and how it stands.

    `earlier` is what orders before this one have begun.
    """

    by: str
    reason: str = ""
    at: datetime
    begun: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    state: str = UNDER_WAY
    said: str = ""


class Record(Document):
    """A resource that is being deleted since `at`, with the finding that led to it.

    `gone_at` is when it was seen to be gone. `parts` are its definitions as Azure gave them: an
    endpoint's comes before those of its deployments. `environment` is the one in whose workspace it
    was.
    """

    finding: Finding
    environment: str
    at: datetime
    gone_at: datetime | None = None
    parts: tuple[dict[str, Any], ...]
    restoration: Restoration | None = None
    outbox: tuple[Message, ...] = ()

    @property
    def target(self) -> Resource:
        """What was deleted, as Azure spells it."""
        return Resource(self.parts[0]["id"] if self.parts else self.finding.resource)

    @property
    def note(self) -> str:
        """Stands beside the record, so that a list tells what is under way."""
        restoration = self.restoration
        return UNDER_WAY if restoration and restoration.state == UNDER_WAY else ""

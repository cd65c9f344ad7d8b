"""One look at all projects for what changed, in place of many messages about the same change.

Data that hundreds of projects train on may come as thousands of files, each with an event, and an
event has to be answered within seconds. Then the resync is asked for, which finds those projects by
its lists; and whoever asks within the same `SHARED` shares one. It begins after that, so it sees
what they have seen. If its message is lost, the timer makes up for it.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from tuneops import documents
from tuneops.document import Document
from tuneops.queue import ProjectsRequest
from tuneops.services import Services
from tuneops.store import ConflictError, NewerError, UnreadableError

MANY = 32
"""Projects that are looked at one by one because of an event; more are looked at together."""
DELAY = timedelta(seconds=30)
SHARED = timedelta(seconds=20)
"""Less than the delay, as the clocks of two instances differ."""


class Gathered(Document):
    """When somebody asked last."""

    at: datetime


def look_at_all(services: Services, now: datetime) -> None:
    """Have all projects looked at of which something has just changed, unless that is asked for.

    Raises:
        AzureError: that can't be asked for now.
    """
    if _is_asked(services, now):
        return
    services.prompt_queue.send(ProjectsRequest(), DELAY.total_seconds())
    with suppress(ConflictError, NewerError):
        asked = Gathered(at=now)
        services.prompt_store.update(documents.GATHERED, Gathered, lambda _: asked, tries=1)


def _is_asked(services: Services, now: datetime) -> bool:
    """Whether a message is on its way that begins a look only after now."""
    try:
        stored = services.prompt_store.read(documents.GATHERED, Gathered)
    except UnreadableError:
        return False
    return stored is not None and stored.value.at <= now + SHARED and now < stored.value.at + SHARED

"""One look at all projects for what changed, in place of many messages about the same change.

Data that hundreds of projects train on may come as thousands of files, each with an event, and an
event has to be answered within seconds. Then the resync is asked for, which finds those projects by
its lists; and whoever asks within the same `SHARED` shares one. It begins after that, so it sees
what they have seen. If its message is lost, the timer makes up for it.
"""

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta

from tuneops import documents
from tuneops.document import Document
from tuneops.queue import ProjectRequest, ProjectsRequest
from tuneops.services import Services
from tuneops.store import ConflictError, UnreadableError

MANY = 32
DELAY = timedelta(seconds=30)
SHARED = timedelta(seconds=20)
"""Less than the delay, as the clocks of two instances differ."""


class Gathered(Document):
    """When somebody asked last."""

    at: datetime


def look_at(projects: Collection[str], services: Services, now: datetime) -> None:
    """Have these projects looked at, of which something has just changed."""
    if len(projects) <= MANY:
        for name in projects:
            services.queue.send(ProjectRequest(project=name))
    elif not _is_asked(services, now):
        services.queue.send(ProjectsRequest(), DELAY.total_seconds())
        with suppress(ConflictError):
            asked = Gathered(at=now)
            services.store.update(documents.GATHERED, Gathered, lambda _: asked, tries=1)


def _is_asked(services: Services, now: datetime) -> bool:
    """Whether a message is on its way that begins a look only after now."""
    try:
        stored = services.store.read(documents.GATHERED, Gathered)
    except UnreadableError:
        return False
    return stored is not None and stored.value.at <= now + SHARED and now < stored.value.at + SHARED

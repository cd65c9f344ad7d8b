"""The end of a preview: once it is taken down and that is told, its documents go.

What is desired of it goes last of them, and only if nobody has asked for it anew meanwhile; its
place in the register is free after that. A crash on the way leaves what is done again.
"""

import logging
from datetime import datetime, timedelta

from azure.storage.blob import BlobLeaseClient

from tuneops import documents
from tuneops.desired import Desired
from tuneops.gitops.errors import GitHubError
from tuneops.names import is_preview
from tuneops.notify.mailbox import Note, read_note
from tuneops.previews.channel import PreviewChannel
from tuneops.previews.keeping import serve_next
from tuneops.previews.reading import read_register
from tuneops.previews.register import Register
from tuneops.previews.wanted import at_its_time
from tuneops.project import Project
from tuneops.release import Phase, Release
from tuneops.services import Services

LEAST_PAUSE = 3.0
"""So long after the last word was posted somebody looks whether it was delivered."""
LONGEST_WAIT = timedelta(hours=1)
"""A place is worth more than a word that is not taken."""

log = logging.getLogger(__name__)


def prune(key: str, services: Services, lease: BlobLeaseClient, now: datetime) -> None:
    """Delete the documents of a preview that is over, under its lease; else nothing.

    Raises:
        ConflictError: it is wanted anew, or the lease is lost.
    """
    store = services.store
    wanted = store.read(documents.desired(key), Desired)
    project = store.read(documents.project(key), Project)
    if wanted is None or project is None or at_its_time(wanted.value, now).config:
        return
    newest = services.release(key, project.value.current)
    if newest is None:
        _say_over(key, services)
    elif newest.value.phase != Phase.RETIRED or _waiting(newest.value, services, now):
        return
    for path in (*store.paths(documents.mailboxes(key)), *store.paths(documents.carriers(key))):
        store.delete(path)
    for path in store.paths(documents.releases(key)):
        store.delete(path)
    store.delete(documents.orders(key))
    store.delete(documents.project(key), lease=lease)
    store.delete(documents.desired(key), wanted.etag)
    forget(key, services, now)


def pause(release: Release | None, services: Services, now: datetime) -> float | None:
    """The seconds until a preview that is taken down may have been told of; None for no other."""
    if release is None or release.phase != Phase.RETIRED or not is_preview(release.project):
        return None
    waiting = _waiting(release, services, now)
    wakes = [(note.wake_at - now).total_seconds() for note in waiting if note.wake_at]
    return max(LEAST_PAUSE, min(wakes, default=0.0)) if waiting else None


def _waiting(release: Release, services: Services, now: datetime) -> list[Note]:
    """Notes of the mailboxes that still owe word of the preview, for `LONGEST_WAIT`."""
    if now - (release.entered(Phase.RETIRED) or now) > LONGEST_WAIT:
        return []
    listed = services.store.listed(documents.mailboxes(release.project))
    return [note for each in listed if (note := read_note(each.note)).waiting]


def forget(key: str, services: Services, now: datetime) -> None:
    """Free the place of a preview of which there is nothing any more."""
    path = documents.previews(services.environment)
    if key not in read_register(services.store, services.environment).entries:
        return
    services.store.update(path, Register, lambda known: (known or Register()).gone(key, now))
    serve_next(services)


def _say_over(key: str, services: Services) -> None:
    """Tell of a preview that never came to a release, so it has no outbox: once, or not at all.

    A place is worth more than a word on a pull request that takes none, such as a locked one.
    """
    for channel in services.preview_channels:
        if isinstance(channel, PreviewChannel):
            try:
                channel.tell(key)
            except GitHubError as error:
                log.warning("pull request of %s was not told of its end: %s", key, error)

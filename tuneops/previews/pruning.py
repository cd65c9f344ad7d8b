"""The end of a preview: once it is taken down and that is told, its documents go.

What is desired of it goes last of them, and only if nobody has asked for it anew meanwhile; its
place in the register is free after that. A crash on the way leaves what is done again.
"""

import logging
from datetime import datetime

from azure.storage.blob import BlobLeaseClient

from tuneops import documents
from tuneops.desired import Desired
from tuneops.gitops.github import GitHubError
from tuneops.notify import outbox
from tuneops.previews.channel import PreviewChannel
from tuneops.previews.keeping import read_register, serve_next
from tuneops.previews.register import Register
from tuneops.previews.wanted import at_its_time
from tuneops.project import Project
from tuneops.release import Phase
from tuneops.services import Services

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
    elif newest.value.phase != Phase.RETIRED or outbox.unsettled(
        newest.value.outbox, services.preview_channels
    ):
        return
    for path in store.paths(documents.releases(key)):
        store.delete(path)
    store.delete(documents.orders(key))
    store.delete(documents.project(key), lease=lease)
    store.delete(documents.desired(key), wanted.etag)
    forget(key, services, now)


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

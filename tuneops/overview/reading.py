"""Reading the overview."""

import logging

from tuneops import documents
from tuneops.overview.document import Overview
from tuneops.store import Store, Stored, UnreadableError

log = logging.getLogger(__name__)


def read_overview(store: Store) -> Stored[Overview] | None:
    """The overview, None when there is none that this version can read: the resync makes one."""
    try:
        return store.read(documents.OVERVIEW, Overview)
    except UnreadableError as error:
        log.warning("%s", error)
        return None

"""Writing the audit: the entry before the order takes effect, what came of it afterwards."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count

from azure.core.exceptions import AzureError

from tuneops import documents
from tuneops.audit.entry import Entry, Page
from tuneops.going_back import RefusedError
from tuneops.rollback import Answer, UnknownProjectError
from tuneops.services import NoSourceError
from tuneops.store import ConflictError, Store, UnreadableError

REFUSALS = (RefusedError, UnknownProjectError, UnreadableError, NoSourceError)

log = logging.getLogger(__name__)


def audited(
    entry: Entry,
    store: Store,
    do: Callable[[], Answer],
    refusals: tuple[type[Exception], ...] = (),
) -> Answer:
    """Do what is ordered; whatever it raises goes on to the caller.

    Nothing is done that has no entry. Once it is done, an entry that can't be completed stays
    `begun`, and does not make it undone.
    """
    known: tuple[type[Exception], ...] = (*REFUSALS, *refusals)
    write(store, entry)
    try:
        answer = do()
    except known as error:
        _complete(store, entry.end("refused", str(error), datetime.now(UTC)))
        raise
    except Exception as error:
        _complete(store, entry.end("failed", _said(error), datetime.now(UTC)))
        raise
    ended = entry.end("accepted", answer.text, datetime.now(UTC), answer.pull_request)
    _complete(store, ended)
    return answer


def write(store: Store, entry: Entry) -> None:
    """Keep the entry, on the first page of its month that has it, or has room for it."""
    log.info("audit %s", entry.model_dump_json(exclude_defaults=True))
    month = f"{entry.at.astimezone(UTC):%Y-%m}"
    for number in count(1):
        if _put(store, documents.audit(entry.project, month, number), entry):
            return


def _put(store: Store, path: str, entry: Entry) -> bool:
    """Whether the page has the entry now; one that can't be read is left as it is."""
    while True:
        try:
            stored = store.read(path, Page)
        except UnreadableError as error:
            log.error("the audit goes on in the next document: %s", error)
            return False
        page = stored.value if stored else Page()
        changed = page.put(entry)
        if changed == page:
            return page.has(entry)
        try:
            store.write(path, changed, stored.etag if stored else None)
        except ConflictError:
            continue
        return True


def _complete(store: Store, entry: Entry) -> None:
    try:
        write(store, entry)
    except AzureError as error:
        log.error("entry %s of the audit stays begun: %s", entry.id, type(error).__name__)


def _said(error: Exception) -> str:
    """What is said of an error: one of ours has words for people."""
    ours = type(error).__module__.partition(".")[0] == "tuneops"
    return str(error) if ours else f"internal error ({type(error).__name__})"

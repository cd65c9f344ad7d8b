"""Reading the audit, newest first."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from pydantic import BaseModel

from tuneops import documents
from tuneops.audit.entry import Entry, Page
from tuneops.store import Store, UnreadableError

MONTH = r"^[0-9]{4}-(0[1-9]|1[0-2])$"
MAX_SHOWN = 1000
MAX_PAGES = 200
"""So many documents are read for one answer."""
RECENT_PAGES = 2

_PATH = re.compile(rf"{documents.AUDIT}(?P<project>[^/]+)/(?P<month>\d{{4}}-\d\d)(~\d+)?\.json")


class Audit(BaseModel):
    """The orders of a month; `problems` says which could not be read, `more` that some are left."""

    month: str
    entries: list[Entry] = []
    problems: list[str] = []
    more: bool = False


def read_audit(store: Store, project: str | None, month: str) -> Audit:
    """The orders that were given in a month for a project, or for all."""
    prefix = documents.AUDIT if project is None else f"{documents.AUDIT}{project}/{month}"
    paths = [path for path in store.paths(prefix) if _month_of(path) == month]
    found = _read(store, reversed(paths[-MAX_PAGES:]), month)
    found.more = len(paths) > MAX_PAGES or len(found.entries) > MAX_SHOWN
    found.entries = found.entries[:MAX_SHOWN]
    return found


def read_recent(store: Store, project: str, count: int) -> Audit:
    """The last orders for a project."""
    paths = [path for path in store.paths(f"{documents.AUDIT}{project}/") if _month_of(path)]
    found = _read(store, reversed(paths[-RECENT_PAGES:]), f"{datetime.now(UTC):%Y-%m}")
    found.more = len(paths) > RECENT_PAGES or len(found.entries) > count
    found.entries = found.entries[:count]
    return found


def _read(store: Store, paths: Iterable[str], month: str) -> Audit:
    audit = Audit(month=month)
    for path in paths:
        try:
            stored = store.read(path, Page)
        except UnreadableError as error:
            audit.problems.append(str(error))
            continue
        audit.entries += stored.value.entries if stored else ()
    audit.entries.sort(key=lambda entry: (entry.at, entry.id), reverse=True)
    return audit


def _month_of(path: str) -> str:
    found = _PATH.fullmatch(path)
    return found["month"] if found else ""

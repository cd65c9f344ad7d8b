"""Reading the overview: what it says of all projects together, and their cards in parts.

A process keeps the parts that it has read, each with its ETag: one list tells which of them are
others by now, and only those are read again.
"""

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from weakref import WeakKeyDictionary

from tuneops import documents, names
from tuneops.inheriting import inheriting
from tuneops.overview.document import Card, Cards, Overview
from tuneops.store import Listed, Store, Stored, UnreadableError

THREADS = 8

log = logging.getLogger(__name__)
_read: WeakKeyDictionary[Store, dict[str, Stored[Cards]]] = WeakKeyDictionary()


def read_overview(store: Store) -> Stored[Overview] | None:
    """The overview, None when there is none that this version can read: the resync makes one.

    Its ETag is made of those of its parts.
    """
    frame, parts = read_frame(store), _parts(store)
    if frame is None and not parts:
        return None
    known = frame.value if frame else Overview()
    etags = (frame.etag if frame else "", *(part.etag for part in parts))
    return Stored(known.replace(cards=known.cards | _cards(parts)), names.digest(etags))


def read_frame(store: Store) -> Stored[Overview] | None:
    """The overview without the cards of its parts."""
    try:
        return store.read(documents.OVERVIEW, Overview)
    except UnreadableError as error:
        log.warning("%s", error)
        return None


def read_cards(store: Store) -> dict[str, Card]:
    """The cards of all parts, by project."""
    return _cards(_parts(store))


def _cards(parts: Iterable[Stored[Cards]]) -> dict[str, Card]:
    return {name: card for part in parts for name, card in part.value.cards.items()}


def _parts(store: Store) -> list[Stored[Cards]]:
    """The parts that this version can read."""
    listed = list(store.listed(documents.CARDS))
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(inheriting(partial(_part, store)), listed))
    parts = {each.path: part for each, part in zip(listed, found, strict=True) if part}
    _read[store] = parts
    return list(parts.values())


def _part(store: Store, listed: Listed) -> Stored[Cards] | None:
    known = _read.get(store, {}).get(listed.path)
    if known and known.etag.strip('"') == listed.etag.strip('"'):
        return known
    try:
        return store.read(listed.path, Cards)
    except UnreadableError as error:
        log.warning("%s", error)
        return None

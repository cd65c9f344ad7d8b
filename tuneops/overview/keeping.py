"""Keeping the overview: each look at a project writes its card, each sync what it has read.

The cards of a sixteenth of the projects are in one document. Many write it at once, and whoever
finds it changed meanwhile tries again; those of one process take turns, so that they don't cost
each other tries. A card that could not be written, or an overview that has gone, is made up for by
the resync.

While TuneOps is being updated, hosts of the earlier version may still write cards where those were
before, and parts may be of a later version, which are left to that.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from azure.core.exceptions import AzureError

from tuneops import documents
from tuneops.desired import Desired
from tuneops.document import Document
from tuneops.gitops.repository import Repository
from tuneops.inheriting import inheriting
from tuneops.names import environment_of
from tuneops.notify.health import ChannelHealth
from tuneops.overview.card import card, cut
from tuneops.overview.document import UNREADABLE, Card, Cards, ChannelCard, Overview, SourceCard
from tuneops.overview.reading import read_cards, read_frame
from tuneops.prices import Prices
from tuneops.services import NoSourceError, Services
from tuneops.status import read_project
from tuneops.store import ConflictError, NewerError, Store, UnreadableError

THREADS = 8
TRIES = 50
MAX_ERRORS = 50

log = logging.getLogger(__name__)
_turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

T = TypeVar("T", bound=Document)


def keep_card(name: str, services: Services) -> bool:
    """Write a project's card as it is now, if it is another; gives whether that could be done.

    What people see never holds up what is done: whoever could not write it goes on, and has the
    project looked at again.
    """
    try:
        now = make_card(name, services, _prices(services, environment_of(name)))
        put_card(services.store, name, now)
    except Exception:
        log.exception("project %s: its card could not be written", name)
        return False
    return True


def put_card(store: Store, name: str, now: Card | None) -> None:
    """Write a project's card, if it is another; None: there is no such project any more.

    Raises:
        AzureError, ConflictError: it could not be written.
    """
    _change(store, documents.cards(name), Cards, lambda known: known.with_card(name, now))


def make_card(name: str, services: Services, prices: Prices | None) -> Card | None:
    """A project's card by its documents, None if it was never seen or has been pruned."""
    seen = read_project(services, name)
    nothing = seen.release is None and seen.phase != UNREADABLE
    if nothing and services.store.read(documents.desired(name), Desired) is None:
        return None
    return card(seen, prices)


def keep_source(services: Services, read: Repository) -> None:
    """Write what was read of the environment's repository.

    Raises:
        AzureError, ConflictError: it could not be written; the queue delivers the request again.
    """
    errors = [cut(f"{services.source.repository}: {read.outage.text}")] if read.outage else []
    errors += [cut(error) for state in read.files.values() for error in state.errors]
    errors += [cut(f"{path}: {each.why}") for path, each in read.refused.items()]
    more = len(errors) - MAX_ERRORS
    shown = [*errors[:MAX_ERRORS], f"and {more} more errors"] if more > 0 else errors
    refused = {each.project: cut(each.why) for each in read.refused.values() if each.project}
    source = SourceCard(commit=read.commit, errors=tuple(shown), refused=refused)
    with _unless_newer():
        _change_frame(services.store, lambda known: known.with_source(services.environment, source))


def keep_channels(store: Store, seen: Iterable[ChannelHealth]) -> None:
    """Write how the channels fare; what could not be written, the next resync writes."""
    channels = [ChannelCard.model_validate(each) for each in seen]
    try:
        _change_frame(store, lambda known: known.with_channels(channels))
    except (AzureError, ConflictError, NewerError):
        log.exception("how the channels fare could not be written")


def fill(services: Services, list_projects: Callable[[], Collection[str]]) -> None:
    """Add the cards of projects that have none, and take those away of which nothing is left.

    What an earlier version has written beside the parts may be newer than the card there, so that
    is made anew, unless somebody else does so meanwhile.

    The overview is read before the projects are listed: a project that came after that is not taken
    for one that has gone. Each part is written once it is made, so a crash leaves the others to do.

    Raises:
        AzureError, ConflictError: it could not be read or written; the next resync does it.
    """
    store = services.store
    frame, known = read_frame(store), read_cards(store)
    projects = set(list_projects())
    earlier = frame.value.cards if frame else {}
    missing = projects - (known.keys() - earlier.keys())
    gone = known.keys() - projects
    if frame and frame.value.complete and not (missing or gone or earlier):
        return
    log.info("the overview lacks %d projects and has %d too many", len(missing), len(gone))
    prices = {each: _prices(services, each) for each in set(map(environment_of, missing))}

    def make(name: str) -> Card | None:
        try:
            return make_card(name, services, prices[environment_of(name)])
        except ValueError:
            log.exception("project %s: its card could not be made", name)
            return None

    parts: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(missing | gone):
        parts[documents.cards(name)].append(name)
    with ThreadPoolExecutor(THREADS) as pool:
        for path, names in parts.items():
            lacking = [name for name in names if name in missing]
            made = zip(lacking, pool.map(inheriting(make), lacking), strict=True)
            cards = {name: each for name, each in made if each}
            change = partial(Cards.filled, cards=cards, gone=gone, known=known)
            with _unless_newer():
                _change(store, path, Cards, change)
    with _unless_newer():
        _change_frame(store, partial(Overview.whole, made=earlier))


def _prices(services: Services, environment: str) -> Prices | None:
    try:
        return services.of(environment).policy.prices
    except (NoSourceError, UnreadableError):
        return None


@contextmanager
def _unless_newer() -> Iterator[None]:
    """Leave what a later version of TuneOps has written to that."""
    try:
        yield
    except NewerError as error:
        log.warning("%s", error)


def _change_frame(store: Store, change: Callable[[Overview], Overview]) -> None:
    _change(store, documents.OVERVIEW, Overview, change)


def _change(store: Store, path: str, kind: type[T], change: Callable[[T], T]) -> None:
    with _turns[path]:
        store.update(path, kind, lambda known: change(known or kind()), tries=TRIES)

"""How much data a process prepares at the same time: its memory and its processors are one.

A preparation uses all processors for itself, so that a second one beside it makes neither sooner.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Semaphore

AT_ONCE = 1

_places = Semaphore(AT_ONCE)


class NoPlaceError(Exception):
    """This process prepares other data; another one may have a place, or this one later."""


@contextmanager
def place() -> Iterator[None]:
    """Have one of the places while the block runs, without waiting for one.

    Raises:
        NoPlaceError: none is free.
    """
    if not _places.acquire(blocking=False):
        raise NoPlaceError
    try:
        yield
    finally:
        _places.release()

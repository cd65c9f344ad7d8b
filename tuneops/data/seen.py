"""What was seen before, in little memory."""

from array import array
from collections.abc import Iterable

_FIRST_SIZE = 2**17
"""A megabyte: to move what is in smaller tables takes longer than to have a larger one."""
_FULL = 0.8


class Seen:
    """Fingerprints of 64 bits in a table of their own; 10 to 20 bytes for each.

    Two of a million different rows share a fingerprint once in forty million times.
    """

    def __init__(self) -> None:
        self._table = array("Q", [0]) * _FIRST_SIZE
        self._room = int(_FIRST_SIZE * _FULL)

    def add_all(self, fingerprints: Iterable[int]) -> list[int]:
        """Add fingerprints in their order; gives the places of those that were there already."""
        known: list[int] = []
        table, mask = self._table, len(self._table) - 1
        for place, fingerprint in enumerate(fingerprints):
            key = fingerprint or 1  # zero stands for an empty slot
            slot = key & mask
            while kept := table[slot]:
                if kept == key:
                    known.append(place)
                    break
                slot = (slot + 1) & mask
            else:
                table[slot] = key
                self._room -= 1
                if not self._room:
                    self._grow()
                    table, mask = self._table, len(self._table) - 1
        return known

    def _grow(self) -> None:
        before, size = self._table, 2 * len(self._table)
        self._table = table = array("Q", [0]) * size
        self._room = int(size * _FULL) - int(len(before) * _FULL)
        mask = size - 1
        for key in before:
            if key:
                slot = key & mask
                while table[slot]:
                    slot = (slot + 1) & mask
                table[slot] = key

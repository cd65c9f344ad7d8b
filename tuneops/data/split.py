"""Which side of the split a row is on: by a hash of the row, so that it never changes sides."""

from typing import NamedTuple

TRAIN, VALIDATION, TEST = PARTS = ("train", "validation", "test")
_TRAIN, _VALIDATION, _TEST = range(3)

SPACE = 2**64
"""Positions are whole numbers below this."""


class Split(NamedTuple):
    """Positions below `test` are test rows, from there to below `validation` validation rows.

    Of all rows, those are used whose second position is below `sample`.
    """

    test: int
    validation: int
    sample: int = SPACE

    def takes(self, identity: int) -> bool:
        """Whether a row is used: by its digest (128 bits), which has a position in each half."""
        return identity % SPACE < self.sample

    def side(self, place: int) -> int:
        """The part that a row goes to, as its index in `PARTS`, by its first position."""
        if place >= self.validation:
            return _TRAIN
        return _TEST if place < self.test else _VALIDATION

    def moved(self, lowest: int, highest: int) -> "Split":
        """The split with as much moved as leaves the outermost rows on different sides."""
        test = min(max(self.test, lowest + 1), highest)
        validation = test + self.validation - self.test
        return self._replace(test=test, validation=min(validation, max(highest, test)))


def by_percent(test: float, validation: float = 0.0, sample: float = 100.0) -> Split:
    """The split that gives each part about its percentage of the rows."""
    held_out = _share(test)
    return Split(held_out, held_out + _share(validation), _share(sample))


def only(part: str, sample: float = 100.0) -> Split:
    """The split of a file that belongs to one part as a whole."""
    test = SPACE if part == TEST else 0
    return Split(test, SPACE if part == VALIDATION else test, _share(sample))


def _share(percent: float) -> int:
    return int(SPACE * percent / 100)

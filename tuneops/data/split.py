"""Which rows are held out: by a hash of the row, so that it never changes sides."""

from collections.abc import Sequence
from dataclasses import dataclass

_SPACE = 2**64


@dataclass(frozen=True)
class Limits:
    """Rows below `test` are for testing, from there to below `validation` for validation."""

    test: int
    validation: int


def position(identity: bytes) -> int:
    """Where a row stands between 0 and 2**64, by its identity alone."""
    return int.from_bytes(identity[:8], "big")


def limits(positions: Sequence[int], test_percent: float, validation_percent: float = 0) -> Limits:
    """Where the rows are divided: by percents of the range of positions.

    Moved only when a side would be empty: of at least two different rows there is one to train
    and one to test. Validation rows are taken where there are enough.

    Raises:
        ValueError: there are no two different rows.
    """
    distinct = sorted(set(positions))
    if len(distinct) < 2:
        raise ValueError("at least two different rows are needed, one to train and one to test")
    wanted = int(_SPACE * test_percent / 100)
    test = min(max(wanted, distinct[0] + 1), distinct[-1])
    validation = test + int(_SPACE * validation_percent / 100)
    return Limits(test, min(validation, max(distinct[-1], test)))

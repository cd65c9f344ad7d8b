"""Which rows are held out for evaluation: by a hash of the row, so that it never changes sides."""

from collections.abc import Sequence

_SPACE = 2**64


def position(identity: bytes) -> int:
    """Where a row stands between 0 and 2**64, by its identity alone."""
    return int.from_bytes(identity[:8], "big")


def held_out_below(positions: Sequence[int], test_percent: float) -> int:
    """The position below which a row is a test row.

    It is `test_percent` of the range, moved only when one side would be empty: both sides of at
    least two different rows have one.

    Raises:
        ValueError: there are no two different rows.
    """
    distinct = sorted(set(positions))
    if len(distinct) < 2:
        raise ValueError("at least two different rows are needed, one to train and one to test")
    limit = int(_SPACE * test_percent / 100)
    return min(max(limit, distinct[0] + 1), distinct[-1])

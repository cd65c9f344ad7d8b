"""How long to wait before a channel is tried again. Pure."""

from datetime import timedelta

FIRST = timedelta(seconds=5)
LONGEST = timedelta(minutes=15)
LONGEST_ASKED = timedelta(hours=1)


def pause(failures: int, chance: float, asked: float = 0) -> timedelta:
    """The pause after so many failures in a row: twice as long each time, up to `LONGEST`.

    `chance`, from 0 to 1, takes away up to a half, so that not all come back at once. `asked` are
    the seconds that the channel wants; it gets up to `LONGEST_ASKED`.
    """
    doublings = min(max(failures, 1) - 1, 20)
    longest = min(FIRST * (1 << doublings), LONGEST)
    wanted = min(timedelta(seconds=max(0.0, asked)), LONGEST_ASKED)
    return max(longest * (1 - chance / 2), wanted)

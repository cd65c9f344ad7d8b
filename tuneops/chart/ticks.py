"""Where an axis begins and ends, which round values it names, and how they are written. Pure."""

import math
from collections.abc import Sequence
from itertools import pairwise

MAX_TICKS = 7
BEYOND = 1e30
"""Neither a value as large as this is drawn, nor is a difference as small as its inverse."""
_SAME = 1e-9
"""Values that differ by less than this part of themselves are drawn as one."""


def drawable(value: float) -> bool:
    """Whether an axis can have a place for the value."""
    return math.isfinite(value) and abs(value) < BEYOND


def span(values: Sequence[float], room: float = 0.0) -> tuple[float, float]:
    """From where to where an axis goes that has all these values.

    It has `room` on either side, a part of what lies between, and always around a single value,
    but goes below 0 for values below 0 alone.
    """
    low, high = min(values, default=0.0), max(values, default=1.0)
    if high - low <= max(_SAME * max(abs(low), abs(high)), 1 / BEYOND):
        around = abs(low) / 10 or 1.0
    else:
        around = (high - low) * room
    return (max(low - around, 0.0) if low >= 0 else low - around), high + around


def ticks(low: float, high: float, most: int = MAX_TICKS, whole: bool = False) -> tuple[float, ...]:
    """At most `most` round values from `low` to `high`, evenly apart; `whole` ones if so asked."""
    exponent = math.floor(math.log10((high - low) / most)) - 1
    if whole:
        exponent = max(exponent, 0)
    while True:
        for factor in (1, 2, 5):
            first = math.ceil(_multiple(low, factor, exponent) - _SAME)
            last = math.floor(_multiple(high, factor, exponent) + _SAME)
            if last - first < most:
                found = (_value(n * factor, exponent) for n in range(first, last + 1))
                return tuple(value for value in found if low <= value <= high)
        exponent += 1


def labels(values: Sequence[float]) -> tuple[str, ...]:
    """The values of an axis as people write them, each with the digits that tell them apart."""
    largest = max(map(abs, values), default=0.0)
    step = min((two - one for one, two in pairwise(values)), default=largest) or 1.0
    place = math.floor(math.log10(step) + _SAME)
    if largest and not 1e-3 <= largest < 1e7:
        digits = max(math.floor(math.log10(largest)) - place, 0)
        return tuple(_scientific(value, digits) for value in values)
    return tuple(f"{value:,.{max(-place, 0)}f}" for value in values)


def figure(value: float) -> str:
    """A value in a sentence, with four digits that matter."""
    if value and not 1e-3 <= abs(value) < 1e7:
        return _scientific(value, 3)
    if float(value).is_integer():
        return f"{value:,.0f}"
    places = max(3 - math.floor(math.log10(abs(value))), 0)
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _multiple(value: float, factor: int, exponent: int) -> float:
    """How many of the steps `factor` times 10 to the `exponent` the value is."""
    return value / factor / 10.0**exponent if exponent >= 0 else value / factor * 10.0**-exponent


def _value(count: int, exponent: int) -> float:
    return count * 10.0**exponent if exponent >= 0 else count / 10.0**-exponent


def _scientific(value: float, digits: int) -> str:
    if not value:
        return "0"
    mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
    return f"{mantissa}e{int(exponent)}"

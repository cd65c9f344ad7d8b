"""Figures, the bounds that they are held to, and the table that people read. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """What was measured; `bound` says what it is held to, and `met` is None where nothing is."""

    name: str
    value: str
    bound: str = ""
    met: bool | None = None


def at_most(name: str, value: float, bound: float, unit: str = "") -> Figure:
    """A figure that may not be greater."""
    return Figure(name, f"{value:,.4g}{unit}", f"at most {bound:,.4g}{unit}", value <= bound)


def exactly(name: str, value: float, wanted: float) -> Figure:
    """A figure that has to be this one."""
    return Figure(name, f"{value:,}", f"{wanted:,}", value == wanted)


def known(name: str, value: str) -> Figure:
    """A figure that is not held to anything."""
    return Figure(name, value)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many percent are not above; 0 of none."""
    if not values:
        return 0.0
    place = math.ceil(len(values) * percent / 100)
    return sorted(values)[max(place, 1) - 1]


def growth(points: Sequence[tuple[float, float]]) -> float:
    """By how much a straight line through the points rises from the first to the last of them."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
    return slope * (points[-1][0] - points[0][0])


def line(figure: Figure) -> str:
    """A line of the table."""
    said = {None: "", True: "met", False: "NOT MET"}[figure.met]
    return f"{figure.name:34} {figure.value:>14} {figure.bound:>16}  {said}".rstrip()

"""Figures that a training has logged step by step, thinned to what a picture can show. Pure."""

from collections.abc import Sequence

from tuneops.document import Document

MAX_POINTS = 120

Point = tuple[float, float]
"""A step, from 0 on, and the value at it."""


class Curve(Document):
    """One metric over the steps of a training; `unit` is empty for a bare number."""

    name: str
    unit: str = ""
    points: tuple[Point, ...]


def thinned(points: Sequence[Point], limit: int = MAX_POINTS) -> tuple[Point, ...]:
    """At most `limit` (2 or more) of the points, evenly spread, with the first and the last."""
    if len(points) <= limit:
        return tuple(points)
    last = len(points) - 1
    return tuple(points[round(place * last / (limit - 1))] for place in range(limit))

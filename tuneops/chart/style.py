"""How the lines of a chart are told apart: by colour, and as well by dashes. Pure."""

from typing import NamedTuple


class Stroke(NamedTuple):
    """How a line is drawn: its colour on white, and the lengths of its dashes and gaps."""

    colour: str
    dashes: tuple[int, ...] = ()


STROKES = (
    Stroke("#1f5fbf"),
    Stroke("#b3471b", (7, 4)),
    Stroke("#1d7a46", (2, 3)),
    Stroke("#7a3fb0", (10, 3, 2, 3)),
    Stroke("#8a6d00", (4, 2)),
    Stroke("#475569", (12, 4)),
)
"""The colours have a contrast of at least 4.5 to white."""

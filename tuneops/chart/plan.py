"""A chart as geometry: where its lines, ticks and words are, in pixels. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tuneops.chart.description import describe, short
from tuneops.chart.style import STROKES
from tuneops.chart.ticks import MAX_TICKS, drawable, labels, span, ticks
from tuneops.curves import MAX_POINTS, Curve, Point, thinned

WIDTH, HEIGHT = 420, 270
FONT = 13
TITLE_FONT = 15
TITLE_Y = 22
DOT = 3
"""The radius of the dot that ends a line."""
KEY = 26
"""The length of the line before a name in the legend."""

_CHARACTER = 0.6 * FONT
"""No character of a usual font is wider on average."""
_EDGE = 12
_LINE_HEIGHT = 20
_BELOW = 40
_LONG = 50


@dataclass(frozen=True)
class Tick:
    """A value that an axis names, and its place along the axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Line:
    """One curve; `style` is the number of its stroke in `style.STROKES`."""

    name: str
    style: int
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Key:
    """One entry of the legend: its line begins at `x`, its name `KEY` and a little later."""

    name: str
    style: int
    x: float
    y: float


@dataclass(frozen=True)
class Chart:
    """A picture of curves. The frame goes from `left`, `top` to `right`, `bottom`.

    `description` says what it shows to those who don't see it.
    """

    title: str
    description: str
    x_name: str
    y_name: str
    left: float
    top: float
    right: float
    bottom: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    legend: tuple[Key, ...]
    width: int = WIDTH
    height: int = HEIGHT


def plan(
    curves: Sequence[Curve],
    title: str,
    *,
    across: str = "step",
    bounds: tuple[float, float] | None = None,
    stepped: bool = False,
) -> Chart:
    """The chart of these curves, which may be none.

    Curves of one unit share an axis: those of another than the first's are left out, as are those
    for which there is no stroke; the description names them. `across` is what the points' steps
    are. `bounds` are those of the values, where they have some. With `stepped` a value holds until
    the next one.
    """
    usable = [curve.replace(points=_usable(curve.points)) for curve in curves]
    usable = [curve for curve in usable if curve.points]
    shown = [curve for curve in usable if curve.unit == usable[0].unit][: len(STROKES)]
    steps, values = (
        [point[place] for curve in shown for point in curve.points] for place in (0, 1)
    )
    x_low, x_high = span(steps)
    y_low, y_high = span([*values, *bounds]) if bounds else span(values, room=0.05)
    x_values, y_values = _across(x_low, x_high, steps), ticks(y_low, y_high)
    x_labels, y_labels = labels(x_values), labels(y_values)

    legend, top = _legend([short(curve.name) for curve in shown])
    left = _EDGE + _widest(y_labels) + 6
    right, bottom = WIDTH - _EDGE - _widest(x_labels) / 2, float(HEIGHT - _BELOW)

    def x(value: float) -> float:
        return _between(left, right, (value - x_low) / (x_high - x_low))

    def y(value: float) -> float:
        return _between(bottom, top, (value - y_low) / (y_high - y_low))

    return Chart(
        title=title,
        description=describe(curves, shown, across),
        x_name=across,
        y_name=_y_name(shown),
        left=left,
        top=top,
        right=right,
        bottom=bottom,
        x_ticks=tuple(map(Tick, map(x, x_values), x_labels)),
        y_ticks=tuple(map(Tick, map(y, y_values), y_labels)),
        lines=tuple(
            Line(
                name=short(curve.name),
                style=style,
                points=tuple((x(step), y(value)) for step, value in _drawn(curve, stepped)),
            )
            for style, curve in enumerate(shown)
        ),
        legend=legend,
    )


def _usable(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points that have a place in a chart, from left to right."""
    found = [point for point in points if drawable(point[0]) and drawable(point[1])]
    return thinned(sorted(found, key=lambda point: point[0]), 2 * MAX_POINTS)


def _across(low: float, high: float, steps: Sequence[float]) -> tuple[float, ...]:
    """The ticks of the axis from left to right: fewer where their labels are long."""
    whole = all(float(step).is_integer() for step in steps)
    found = ticks(low, high, whole=whole)
    return found if _widest(labels(found)) < _LONG else ticks(low, high, MAX_TICKS - 2, whole)


def _widest(texts: Sequence[str]) -> float:
    return max(map(len, texts), default=0) * _CHARACTER


def _drawn(curve: Curve, stepped: bool) -> Sequence[Point]:
    if not stepped:
        return curve.points
    pairs = pairwise(curve.points)
    corners = [corner for one, two in pairs for corner in (one, (two[0], one[1]))]
    return [*corners, curve.points[-1]]


def _between(start: float, end: float, share: float) -> float:
    return round(start + (end - start) * min(max(share, 0.0), 1.0), 2)


def _legend(names: Sequence[str]) -> tuple[tuple[Key, ...], float]:
    """The entries below the title, in as many rows as they need, and where the frame begins.

    A single line needs none: the axis has its name.
    """
    keys: list[Key] = []
    x, y = float(_EDGE), float(TITLE_Y)
    for style, name in enumerate(names if len(names) > 1 else ()):
        wide = KEY + 6 + len(name) * _CHARACTER + 14
        if not keys or x + wide > WIDTH - _EDGE:
            x, y = float(_EDGE), y + _LINE_HEIGHT
        keys.append(Key(name=name, style=style, x=round(x, 2), y=y))
        x += wide
    return tuple(keys), y + 2 * _LINE_HEIGHT - 6


def _y_name(curves: Sequence[Curve]) -> str:
    """What all of them are: their name, or how all their names end, with the unit."""
    endings = {curve.name.rpartition("_")[2] for curve in curves}
    single = short(curves[0].name) if len(curves) == 1 else ""
    name = single or (short(endings.pop()) if len(endings) == 1 else "value")
    unit = curves[0].unit if curves else ""
    return f"{name} ({unit})" if unit else name

"""Curves drawn with characters."""

from collections.abc import Sequence

import plotext

from tuneops.curves import Curve

MAX_WIDTH, PIPED_WIDTH, HEIGHT = 200, 80, 16
TICKS = 6
MARKERS = {"hd": "▚", "x": "x", "o": "o", "+": "+", "*": "*"}
"""What curves are drawn with, and what says so: they differ without colours as well."""


def chart(curves: Sequence[Curve], width: int, *, coloured: bool) -> str:
    """The curves, five at most, over their steps in one picture of this width.

    What is no terminal has no width of its own, and gets that of an old one.
    """
    plotext.terminal.limit(width=False, height=False)
    figure = plotext.figure
    figure.clear()
    figure.theme("simple" if coloured else "colorless")
    figure.plot_size(width if width <= MAX_WIDTH else PIPED_WIDTH, HEIGHT)
    shown = list(zip(curves, MARKERS.items(), strict=False))
    for curve, (marker, _) in shown:
        steps, values = zip(*curve.points, strict=True)
        signal = figure.signal(list(steps), list(values), marker=marker)
        signal.lines()
        figure.draw(signal)
    figure.title("   ".join(f"{sample} {_name(curve)}" for curve, (_, sample) in shown))
    figure.label("step")
    figure.ruler("x").ticks(_ticks(curves))
    return str(figure.build().string(colorless=not coloured))


def _name(curve: Curve) -> str:
    return f"{curve.name} ({curve.unit})" if curve.unit else curve.name


def _ticks(curves: Sequence[Curve]) -> list[int]:
    """Whole steps, evenly spread from the first to the last, at most six."""
    steps = [step for curve in curves for step, _ in curve.points]
    first, last = round(min(steps)), round(max(steps))
    pause = max(1, -(-(last - first) // (TICKS - 1)))
    return list(range(first, last + 1, pause))

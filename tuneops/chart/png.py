"""A chart as PNG for where SVG is not shown, as in a mail: on white, and twice its size."""

import math
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING

from tuneops.chart.plan import DOT, FONT, KEY, TITLE_FONT, TITLE_Y, Chart
from tuneops.chart.style import STROKES
from tuneops.curves import Point

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

SCALE = 2
"""A picture shown at half its size is sharp on every screen."""
_FINER = 2
"""It is drawn larger by this, and scaled down: Pillow's lines have no smooth edges."""
_INK, _FAINT = "#1b1f24", "#d9dde3"


def png(chart: Chart) -> bytes:
    """The picture, `SCALE` times as wide and as high as the chart."""
    from PIL import Image, ImageDraw

    scale = SCALE * _FINER
    image = Image.new("RGB", (chart.width * scale, chart.height * scale), "white")
    pen = _Pen(ImageDraw.Draw(image), scale)
    _draw_words(pen, chart)
    _draw_axes(pen, chart)
    for line in chart.lines:
        pen.line(line.points, STROKES[line.style].colour, 2, STROKES[line.style].dashes)
        pen.dot(line.points[-1], STROKES[line.style].colour)
    small = image.resize((chart.width * SCALE, chart.height * SCALE), Image.Resampling.BOX)
    file = BytesIO()
    small.quantize(64).save(file, "PNG", optimize=True)
    return file.getvalue()


def _draw_words(pen: "_Pen", chart: Chart) -> None:
    pen.text((12, TITLE_Y), chart.title, "ls", TITLE_FONT)
    for key in chart.legend:
        stroke = STROKES[key.style]
        pen.line(((key.x, key.y - 4), (key.x + KEY, key.y - 4)), stroke.colour, 2, stroke.dashes)
        pen.text((key.x + KEY + 6, key.y), key.name, "ls")
    pen.text((12, chart.top - 10), chart.y_name, "ls")
    pen.text((chart.right, chart.height - 6), chart.x_name, "rs")


def _draw_axes(pen: "_Pen", chart: Chart) -> None:
    for tick in chart.y_ticks:
        pen.line(((chart.left, tick.at), (chart.right, tick.at)), _FAINT, 1)
        pen.text((chart.left - 6, tick.at + 4), tick.label, "rs")
    for tick in chart.x_ticks:
        pen.line(((tick.at, chart.bottom), (tick.at, chart.bottom + 4)), _INK, 1)
        pen.text((tick.at, chart.bottom + 18), tick.label, "ms")
    corner = (chart.left, chart.bottom)
    pen.line(((chart.left, chart.top), corner, (chart.right, chart.bottom)), _INK, 1)


class _Pen:
    """Draws in the chart's pixels on a larger picture."""

    def __init__(self, draw: "ImageDraw", scale: int) -> None:
        self._draw = draw
        self._scale = scale

    def line(
        self, points: Sequence[Point], colour: str, width: int, dashes: Sequence[int] = ()
    ) -> None:
        """A line through the points, in dashes if there are any."""
        for piece in _dashed(points, dashes) if dashes else (points,):
            if len(piece) > 1:
                where = [(x * self._scale, y * self._scale) for x, y in piece]
                self._draw.line(where, colour, width * self._scale, joint="curve")

    def dot(self, point: Point, colour: str) -> None:
        """The dot at a line's end."""
        x, y = point
        self._draw.circle((x * self._scale, y * self._scale), DOT * self._scale, colour)

    def text(self, at: Point, text: str, anchor: str, size: int = FONT) -> None:
        """A line of text; Pillow's own font has the characters of ASCII alone."""
        from PIL import ImageFont

        x, y = at
        shown = text.encode("ascii", "replace").decode()
        font = ImageFont.load_default(size * self._scale)
        self._draw.text((x * self._scale, y * self._scale), shown, _INK, font, anchor)


def _dashed(points: Sequence[Point], dashes: Sequence[int]) -> Iterator[list[Point]]:
    """The dashes along a line through the points, each as the points that it goes through."""
    place, left = 0, float(dashes[0])
    dash = [points[0]]
    for (x, y), (end_x, end_y) in pairwise(points):
        while (far := math.hypot(end_x - x, end_y - y)) > left:
            x, y = x + (end_x - x) * left / far, y + (end_y - y) * left / far
            if place % 2 == 0:
                yield [*dash, (x, y)]
            place = (place + 1) % len(dashes)
            left, dash = float(dashes[place]), [(x, y)]
        left -= far
        dash.append((end_x, end_y))
    if place % 2 == 0:
        yield dash

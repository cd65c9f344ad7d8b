"""Charts: ticks that people would choose, and lines that stay within their frame."""

import xml.etree.ElementTree as ET
from io import BytesIO
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tuneops.chart.plan import Chart, plan
from tuneops.chart.png import SCALE, png
from tuneops.chart.style import STROKES
from tuneops.chart.svg import svg
from tuneops.chart.ticks import MAX_TICKS, figure, labels, span, ticks
from tuneops.curves import Curve, Point

SVG = "{http://www.w3.org/2000/svg}"


def curve(*points: Point, name: str = "loss", unit: str = "") -> Curve:
    return Curve(name=name, unit=unit, points=points)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, "0.0 0.2 0.4 0.6 0.8 1.0"),
        (0.3, 2.7, "0.5 1.0 1.5 2.0 2.5"),
        (0, 100, "0 20 40 60 80 100"),
        (-5, 5, "-4 -2 0 2 4"),
        (999.5, 1000.5, "999.6 999.8 1,000.0 1,000.2 1,000.4"),
        (1e-9, 3e-9, "1.0e-9 1.5e-9 2.0e-9 2.5e-9 3.0e-9"),
        (0, 1e9, "0 2.0e8 4.0e8 6.0e8 8.0e8 1.0e9"),
        (-0.02, 0.02, "-0.02 -0.01 0.00 0.01 0.02"),
    ],
)
def test_an_axis_names_round_values(low: float, high: float, expected: str) -> None:
    assert " ".join(labels(ticks(low, high))) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.41234, "1.412"),
        (0.00012345, "1.234e-4"),
        (123456.7, "123,457"),
        (100, "100"),
        (0, "0"),
        (-2.5, "-2.5"),
        (0.999951, "1"),
        (4.5e9, "4.500e9"),
    ],
)
def test_a_figure_in_a_sentence_has_four_digits(value: float, expected: str) -> None:
    assert figure(value) == expected


values = st.one_of(
    st.floats(-1e9, 1e9),
    st.floats(1e-9, 1e-3),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, 1.0, 1e-9, 1e9, -1e9, 1e29, 5e-324]),
)
points = st.lists(st.tuples(st.one_of(st.integers(0, 10**9), values), values), max_size=20)


@settings(max_examples=60, deadline=None)
@given(st.lists(values, max_size=20))
def test_ticks_are_few_increasing_and_within(found: list[float]) -> None:
    low, high = span([value for value in found if abs(value) < 1e30], room=0.05)
    named = ticks(low, high)
    assert 2 <= len(named) <= MAX_TICKS
    assert low <= named[0]
    assert named[-1] <= high
    assert all(one < two for one, two in pairwise(named))
    assert len(set(labels(named))) == len(named)


@settings(max_examples=60, deadline=None)
@given(st.lists(points, max_size=8), st.booleans(), st.sampled_from([None, (0.0, 100.0)]))
def test_all_that_is_drawn_is_in_the_frame(
    lines: list[list[Point]], stepped: bool, bounds: tuple[float, float] | None
) -> None:
    chart = plan(
        [curve(*line, name=f"m{n}") for n, line in enumerate(lines)],
        "Any",
        stepped=stepped,
        bounds=bounds,
    )
    assert 0 < chart.left < chart.right < chart.width
    assert 0 < chart.top < chart.bottom < chart.height
    for line in chart.lines:
        assert line.points
        assert all(chart.left <= x <= chart.right for x, _ in line.points)
        assert all(chart.top <= y <= chart.bottom for _, y in line.points)
        assert all(one[0] <= two[0] for one, two in pairwise(line.points))
    for tick in chart.x_ticks:
        assert chart.left <= tick.at <= chart.right
    for tick in chart.y_ticks:
        assert chart.top <= tick.at <= chart.bottom
    assert all(key.x < chart.width and key.y < chart.top for key in chart.legend)


@pytest.mark.parametrize(
    ("curves", "expected"),
    [
        ([], "There is nothing to draw yet."),
        ([curve((1, float("nan")), (2, float("inf")))], "There is nothing to draw yet."),
        ([curve((10, 2.5))], "loss is 2.5 at step 10."),
        (
            [curve((1, 3.0), (5, 1.25), (9, 1.5))],
            "loss falls from 3 at step 1 to 1.5 at step 9, between 1.25 and 3.",
        ),
        ([curve((0, 1.0), (7, 1.0))], "loss goes from 1 at step 0 to 1 at step 7."),
        (
            [curve((0, 5), (1, 100), name="traffic", unit="%"), curve((0, 1.0), name="other")],
            "traffic rises from 5 % at step 0 to 100 % at step 1. Not drawn: other.",
        ),
    ],
)
def test_a_chart_is_said_in_words(curves: list[Curve], expected: str) -> None:
    assert plan(curves, "Loss").description == expected


def test_an_axis_has_its_name_and_unit() -> None:
    assert plan([curve((0, 1.0), (1, 2.0))], "One").y_name == "loss"
    both = [curve((0, 1.0), name="loss"), curve((0, 2.0), name="eval_loss")]
    assert plan(both, "Both").y_name == "loss"
    assert [key.name for key in plan(both, "Both").legend] == ["loss", "eval_loss"]
    traffic = plan([curve((0, 5.0), unit="%", name="traffic")], "Traffic", across="minutes")
    assert (traffic.y_name, traffic.x_name) == ("traffic (%)", "minutes")


def test_a_step_holds_its_value_until_the_next() -> None:
    chart = plan([curve((0, 0), (1, 100))], "Traffic", stepped=True)
    (line,) = chart.lines
    (_, start), (corner_x, corner_y), (end_x, _) = line.points
    assert (corner_x, corner_y) == (end_x, start)


def hostile() -> Chart:
    name = '<script>alert("x")</script>' * 10
    lines = [curve((0, 1), (n + 1, 2), name=f"{n}{name}") for n in range(9)]
    return plan(lines, 'T <b onload="x">')


def test_svg_is_one_image_without_style_or_script() -> None:
    text = svg(hostile())
    root = ET.fromstring(text)
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == 'T <b onload="x">'
    (described,) = root.iterfind(f"{SVG}desc")
    assert root.get("aria-describedby") == described.get("id")
    assert len(root.findall(f".//{SVG}polyline")) == len(STROKES)
    elements = list(root.iter())
    assert {element.tag for element in elements}.isdisjoint({f"{SVG}script", f"{SVG}style"})
    attributes = {name for element in elements for name in element.attrib}
    assert not [name for name in attributes if name == "style" or name.startswith("on")]
    assert len(text) < 20_000


def test_lines_are_told_apart_without_colour() -> None:
    assert len({stroke.dashes for stroke in STROKES}) == len(STROKES)
    chart = plan([curve((0, 1), (1, 2), name=name) for name in ("loss", "eval_loss")], "Two")
    assert svg(chart).count("stroke-dasharray") == 2  # the second line and its key


def test_png_shows_each_line_in_its_colour() -> None:
    lines = [curve((0, 1), (9, n), name=f"m{n}") for n in range(2)]
    chart = plan(lines, "Two")
    picture = Image.open(BytesIO(png(chart))).convert("RGB")
    assert picture.size == (chart.width * SCALE, chart.height * SCALE)
    assert picture.getpixel((2, 2)) == (255, 255, 255)
    for line in chart.lines:
        wanted = tuple(bytes.fromhex(STROKES[line.style].colour[1:]))
        x, y = line.points[-1]
        found = picture.getpixel((round(x * SCALE), round(y * SCALE)))
        assert isinstance(found, tuple)
        assert all(abs(one - two) < 24 for one, two in zip(found, wanted, strict=True))


def test_png_of_anything_is_small() -> None:
    for chart in (plan([], "None"), hostile()):
        data = png(chart)
        assert data.startswith(b"\x89PNG")
        assert len(data) < 60_000

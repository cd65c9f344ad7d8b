"""What a chart shows, in sentences for those who don't see it. Pure."""

from collections.abc import Sequence

from tuneops.chart.ticks import figure
from tuneops.curves import Curve

MAX_NAME = 40
MAX_NAMED = 10


def short(name: str) -> str:
    """A curve's name, of which there is no end."""
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 3]}..."


def describe(curves: Sequence[Curve], shown: Sequence[Curve], across: str) -> str:
    """A sentence for each curve that is shown, and the names of those that are not."""
    if not shown:
        return "There is nothing to draw yet."
    sentences = [f"{_course(curve, across)}." for curve in shown]
    names = {curve.name for curve in shown}
    if left := [short(curve.name) for curve in curves if curve.name not in names]:
        sentences.append(f"Not drawn: {', '.join(left[:MAX_NAMED])}.")
    return " ".join(sentences)


def _course(curve: Curve, across: str) -> str:
    """What one curve does, in a sentence."""
    (first_step, first), (last_step, last) = curve.points[0], curve.points[-1]
    name, unit = short(curve.name), f" {curve.unit}" if curve.unit else ""
    if len(curve.points) == 1:
        return f"{name} is {figure(first)}{unit} at {across} {figure(first_step)}"
    start, end = f"{figure(first)}{unit}", f"{figure(last)}{unit}"
    when = f"at {across} {figure(first_step)}", f"at {across} {figure(last_step)}"
    verb = "falls" if last < first else "rises" if last > first else "goes"
    values = [value for _, value in curve.points]
    low, high = min(values), max(values)
    text = f"{name} {verb} from {start} {when[0]} to {end} {when[1]}"
    if {low, high} == {first, last}:
        return text
    return f"{text}, between {figure(low)} and {figure(high)}"

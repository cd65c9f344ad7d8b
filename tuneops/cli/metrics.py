"""``tuneops metrics``."""

from collections.abc import Collection
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from tuneops.cli import reading
from tuneops.cli.completion import ProjectArgument, ReleaseArgument
from tuneops.cli.output import JsonOption, console, print_json
from tuneops.cli.target import STATE, KeyOption, StateOption, Target, UrlOption, fail
from tuneops.curves import Curve
from tuneops.evaluation.directions import is_loss
from tuneops.reading.metrics import ReleaseMetrics

TOGETHER = 5
"""Curves that can be told apart in one picture."""


def metrics(
    project: ProjectArgument,
    release: ReleaseArgument = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Draw this metric and not the losses; may be given several times."),
    ] = None,
    as_json: JsonOption = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Draw the losses of a release's training, be it under way, and show its last values.

    Losses share one picture, any other metric that --only names has its own.

    Example: tuneops metrics support-bot 12 --only loss --only eval_loss
    """
    found = reading.metrics(Target.find(url, key, state), project, release)
    unknown = set(only or ()) - {curve.name for curve in found.curves}
    if unknown:
        known = ", ".join(sorted(curve.name for curve in found.curves)) or "none"
        raise fail(f"there is no curve of {', '.join(sorted(unknown))}; there is {known}")
    if only:
        kept = tuple(curve for curve in found.curves if curve.name in only)
        found = found.model_copy(update={"curves": kept})
    if as_json:
        print_json(found)
    else:
        _show(found, drawn=chosen(found.curves, only))


def chosen(curves: tuple[Curve, ...], only: Collection[str] | None) -> tuple[Curve, ...]:
    """The curves that are drawn: those that were named, else the losses, else all there are."""
    if only:
        return curves
    return tuple(curve for curve in curves if is_loss(curve.name)) or curves


def groups(curves: tuple[Curve, ...]) -> list[tuple[Curve, ...]]:
    """Which curves are drawn together."""
    losses = tuple(curve for curve in curves if is_loss(curve.name))
    pictures = [losses[place : place + TOGETHER] for place in range(0, len(losses), TOGETHER)]
    return [*pictures, *((each,) for each in curves if each not in losses)]


def _show(found: ReleaseMetrics, drawn: tuple[Curve, ...]) -> None:
    from tuneops.cli.charts import chart

    out = console()
    state = "is training" if found.live else f"is {found.phase}"
    out.print(Text(f"Release {found.release} of {found.project} {state}"))
    for together in groups(drawn):
        picture = chart(together, out.width, coloured=out.color_system is not None)
        out.print(Text.from_ansi(picture), no_wrap=True, crop=False)
    others = ", ".join(curve.name for curve in found.curves if curve not in drawn)
    if others:
        out.print(Text(f"Drawn with --only: {others}"))
    table = Table("Metric", "Last value", box=None, pad_edge=False)
    for name, value in sorted(found.values.items()):
        table.add_row(Text(name), f"{value:.6g}")
    for name in found.not_finite:
        table.add_row(Text(name), "was not finite")
    out.print(table if table.row_count else Text("Nothing was logged yet."))

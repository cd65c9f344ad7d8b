"""``tuneops compare``."""

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Group, RenderableType

from tuneops.cli import reading
from tuneops.cli.completion import ProjectArgument
from tuneops.cli.output import JsonOption, console, print_json
from tuneops.cli.release_tables import table
from tuneops.cli.target import STATE, KeyOption, StateOption, Target, UrlOption
from tuneops.outcome import Change
from tuneops.reading.comparing import Comparison, Figure
from tuneops.reading.comparing import compare as set_side_by_side


def compare(
    project: ProjectArgument,
    a: Annotated[int, typer.Argument(min=1, help="A release's number.")],
    b: Annotated[int, typer.Argument(min=1, help="Another one's.")],
    as_json: JsonOption = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Set two releases side by side: parameters and data that differ, metrics, scores, cost.

    Exits with 0 whether they differ or not.

    Example: tuneops compare support-bot 11 12
    """
    target = Target.find(url, key, state)
    both = (reading.release(target, project, number) for number in (a, b))
    found = set_side_by_side(project, *both)
    if as_json:
        print_json(found)
    else:
        console().print(render(found))


def render(found: Comparison) -> Group:
    """The comparison as tables; what is empty is left out."""
    return Group(*_parts(found))


def _parts(found: Comparison) -> Iterator[RenderableType]:
    a, b = f"Release {found.a}", f"Release {found.b}"
    same = "have the same model" if found.same_model else "have different models"
    yield f"Releases {found.a} and {found.b} of {found.project} {same}."
    differ = [*found.parameters, *found.data]
    if differ:
        yield from ("", table("Differs", a, b, rows=map(_change, differ)))
    else:
        yield "Parameters and data are equal."
    for name, figures in (("Metric", found.metrics), ("Score", found.scores)):
        if figures:
            yield from ("", table(name, a, b, "Change", rows=map(_figure, figures)))
    if found.took:
        yield from ("", table("Took", a, b, rows=map(_change, found.took)))


def _change(change: Change) -> tuple[str, str, str]:
    return change.field, change.before or "(not set)", change.after or "(not set)"


def _figure(figure: Figure) -> tuple[str, ...]:
    change = figure.change_percent
    values = ("" if value is None else f"{value:.6g}" for value in (figure.a, figure.b))
    return figure.name, *values, "" if change is None else f"{change:+.1f} %"

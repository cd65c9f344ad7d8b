"""``tuneops audit``."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from tuneops.audit.entry import Entry
from tuneops.audit.reading import Audit
from tuneops.cli.completion import project_names
from tuneops.cli.output import JsonOption, console, print_json
from tuneops.cli.target import STATE, KeyOption, StateOption, Target, UrlOption

_COLOURS = {"accepted": "green", "refused": "yellow", "failed": "red"}


def audit(
    project: Annotated[
        str | None, typer.Argument(help="Only this project.", autocompletion=project_names)
    ] = None,
    month: Annotated[str, typer.Option(help="As 2026-11; left out, this one.")] = "",
    as_json: JsonOption = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Show who ordered what in a month, and what came of it.

    Example: tuneops audit support-bot --month 2026-11
    """
    seen = _ask(Target.find(url, key, state), project, month)
    if as_json:
        print_json(seen)
        return
    out = console()
    out.print(render(seen.entries) if seen.entries else f"no order was given in {seen.month}")
    if seen.more:
        out.print("There are more: name a project.")
    for problem in seen.problems:
        typer.echo(problem, err=True)
    if seen.problems:
        raise typer.Exit(1)


def render(entries: list[Entry]) -> Table:
    """The orders as a table."""
    table = Table("When", "Project", "Order", "Who", "Came of it", box=None, pad_edge=False)
    for each in entries:
        order = " ".join(filter(None, (each.action, each.what)))
        why = f": {each.reason}" if each.reason else ""
        came = Text(each.outcome, style=_COLOURS.get(each.outcome, ""))
        table.add_row(
            f"{each.at.astimezone():%Y-%m-%d %H:%M}",
            each.project,
            Text(f"{order}{why}"),
            Text(f"{each.by} ({each.known}, {each.where})"),
            came.append(f": {each.said}" if each.said else "", style="default"),
        )
    return table


def _ask(target: Target, project: str | None, month: str) -> Audit:
    params = {"project": project, "month": month}
    return target.read("audit", Audit, {name: value for name, value in params.items() if value})

"""``tuneops events``."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from tuneops.cli.completion import project_names
from tuneops.cli.output import JsonOption, console, plain, print_json
from tuneops.cli.target import STATE, KeyOption, StateOption, Target, UrlOption
from tuneops.events.reading import MAX_SHOWN, Events
from tuneops.events.record import Event, Fate, Source

_COLOURS = {"acted": "green", "waiting": "yellow", "refused": "red"}


def events(
    project: Annotated[
        str | None, typer.Argument(help="Only those that concern it.", autocompletion=project_names)
    ] = None,
    day: Annotated[str, typer.Option(help="In UTC, as 2026-11-26; left out, today.")] = "",
    fate: Annotated[Fate | None, typer.Option(help="Only those with this fate.")] = None,
    source: Annotated[Source | None, typer.Option(help="Only those from there.")] = None,
    identifier: Annotated[
        str, typer.Option("--id", help="Only this one: GitHub's delivery, or Event Grid's id.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=MAX_SHOWN, help="How many, the newest.")] = 50,
    as_json: JsonOption = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Show what became of the events that came in on a day, the newest first.

    An event was acted on, merged into what was under way anyway, ignored as nobody's business, or
    refused; it is waiting as long as nothing could be looked at because of it. One whose message
    is on the queue still is not shown yet.

    Example: tuneops events support-bot --fate ignored
    """
    given = {"project": project, "day": day, "fate": fate, "source": source, "id": identifier}
    params = {name: value for name, value in given.items() if value}
    found = Target.find(url, key, state).read("events", Events, {**params, "limit": limit})
    if as_json:
        print_json(found)
        return
    out = console()
    out.print(render(found.events) if found.events else f"no such event on {found.day}")
    if found.more:
        out.print("There are more: name a project, a fate or a source, or raise --limit.")


def render(found: list[Event]) -> Table:
    """The events as a table."""
    table = Table("When", "Event", "Fate", "Why", box=None, pad_edge=False)
    for each in found:
        came = each.arrival
        often = f" ({each.deliveries} times)" if each.deliveries > 1 else ""
        table.add_row(
            f"{came.at.astimezone():%H:%M:%S}",
            Text(plain(f"{came.type.rpartition('.')[2]} {came.subject}{often}")),
            Text(each.fate, style=_COLOURS.get(each.fate, "")),
            Text(plain("\n".join(_why(each)))),
        )
    return table


def _why(event: Event) -> list[str]:
    """What was made of it at once, then what it has led to."""
    return [event.arrival.why, *(f"{each.about}: {each.why}" for each in event.outcomes)]

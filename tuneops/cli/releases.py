"""``tuneops releases``."""

from collections.abc import Callable, Iterable
from typing import Annotated, NamedTuple

import typer
from pydantic import BaseModel
from rich.table import Table

from tuneops.cli import reading
from tuneops.cli.completion import ProjectArgument
from tuneops.cli.output import JsonOption, console, print_json
from tuneops.cli.release_tables import table
from tuneops.cli.target import STATE, KeyOption, StateOption, Target, UrlOption
from tuneops.estimate_text import duration, number
from tuneops.notify.messages import metrics_text
from tuneops.reading.releases import ReleaseLine

MAX_LIMIT = 10_000
MAX_REASON = 160
"""Characters of a reason where there is little room; `tuneops show` has all of it."""


class Releases(BaseModel):
    """A project's releases, the newest first."""

    project: str
    releases: list[ReleaseLine]


def releases(
    project: ProjectArgument,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_LIMIT, help="How many, the newest first.")
    ] = 20,
    as_json: JsonOption = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """List a project's releases, the newest first; * is live. A wider terminal shows more of each.

    Example: tuneops releases support-bot --limit 5
    """
    found = reading.releases(Target.find(url, key, state), project, limit)
    if as_json:
        print_json(Releases(project=project, releases=found))
    else:
        out = console()
        out.print(render(found, out.width))


class _Column(NamedTuple):
    """A column and what stands in it; it is left out where the terminal is narrower than that."""

    name: str
    cell: Callable[[ReleaseLine], str]
    width: int = 0


def render(found: Iterable[ReleaseLine], width: int) -> Table:
    """The releases as a table for a terminal of this width: the reasons get what is left."""
    shown = [column for column in _COLUMNS if column.width <= width]
    most = MAX_REASON if len(shown) < len(_COLUMNS) else None
    rows = (
        (*(column.cell(each) for column in shown), _shortened(_why(each), most)) for each in found
    )
    made = table(*(column.name for column in shown), "Why", rows=rows)
    for column in made.columns[:-1]:
        column.no_wrap = True
    return made


def _shortened(text: str, most: int | None) -> str:
    return text if most is None or len(text) <= most else f"{text[: most - 3].rstrip()}..."


def _began(each: ReleaseLine) -> str:
    return f"{each.began.astimezone():%Y-%m-%d %H:%M}" if each.began else ""


def _to_live(each: ReleaseLine) -> str:
    return "" if each.live_seconds is None else duration(each.live_seconds)


def _cost(each: ReleaseLine) -> str:
    return "" if each.cost is None else f"{number(each.cost)} {each.currency}".strip()


def _why(each: ReleaseLine) -> str:
    return "; ".join(filter(None, (each.unreadable or each.reason, each.rejected)))


_COLUMNS = (
    _Column("Release", lambda each: f"{each.number}{' *' if each.live else ''}"),
    _Column("Began", _began),
    _Column("Phase", lambda each: each.phase or "Unreadable"),
    _Column("To Live", _to_live, 100),
    _Column("Cost", _cost, 120),
    _Column("Commit", lambda each: each.commit[:8]),
    _Column("Data", lambda each: each.source, 180),
    _Column("Metrics", lambda each: metrics_text(each.metrics) if each.metrics else "", 180),
)

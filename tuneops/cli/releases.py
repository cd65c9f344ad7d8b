"""``tuneops releases``."""

from collections.abc import Iterable
from typing import Annotated

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
    """List a project's releases, the newest first; * is live.

    Example: tuneops releases support-bot --limit 5
    """
    found = reading.releases(Target.find(url, key, state), project, limit)
    if as_json:
        print_json(Releases(project=project, releases=found))
    else:
        console().print(render(found))


def render(found: Iterable[ReleaseLine]) -> Table:
    """The releases as a table."""
    names = ("Release", "Began", "Phase", "To Live", "Cost", "Commit", "Data", "Metrics", "Why")
    return table(*names, rows=map(_row, found))


def _row(each: ReleaseLine) -> tuple[str, ...]:
    return (
        f"{each.number}{' *' if each.live else ''}",
        f"{each.began.astimezone():%Y-%m-%d %H:%M}" if each.began else "",
        each.phase or "Unreadable",
        "" if each.live_seconds is None else duration(each.live_seconds),
        "" if each.cost is None else f"{number(each.cost)} {each.currency}".strip(),
        each.commit[:8],
        each.source,
        metrics_text(each.metrics) if each.metrics else "",
        "; ".join(filter(None, (each.unreadable or each.reason, each.rejected))),
    )

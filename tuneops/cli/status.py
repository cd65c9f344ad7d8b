"""``tuneops status``."""

import time
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tuneops.cli.completion import project_names
from tuneops.cli.output import JsonOption, console, plain, print_json
from tuneops.cli.release_tables import course
from tuneops.cli.target import (
    STATE,
    KeyOption,
    LostError,
    NoAnswerError,
    StateOption,
    Target,
    UrlOption,
    fail,
)
from tuneops.notify.messages import metrics_text
from tuneops.status import ProjectStatus, Status
from tuneops.version import VERSION

WATCH_SECONDS = 2
_COLOURS = {"Live": "green", "Failed": "red", "Retired": "dim", "Waiting for data": "yellow"}


def status(
    project: Annotated[
        str | None, typer.Argument(help="Only this project.", autocompletion=project_names)
    ] = None,
    as_json: JsonOption = False,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until interrupted.")] = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Show all projects, or one with its history.

    Example: tuneops status support-bot --watch
    """
    target = Target.find(url, key, state)
    seen = target.status(project)
    if as_json:
        print_json(seen)
    elif watch:
        _watch(target, project, seen)
    else:
        console().print(render(seen, detailed=project is not None))


def render(seen: Status, *, detailed: bool) -> Group:
    """The status as a table, with each project's history when `detailed`."""
    table = Table("Project", "Phase", "Release", "Metrics", "Why", box=None, pad_edge=False)
    for project in sorted(seen.projects, key=lambda each: each.preview is not None):
        metrics = project.release.metrics if project.release else None
        table.add_row(
            project.name,
            Text(project.phase, style=_COLOURS.get(project.phase, "cyan")),
            str(project.release.number) if project.release else "",
            metrics_text(metrics.values) if metrics else "",
            plain(_why(project)),
        )
    errors = [Text(error, style="red") for error in seen.config_errors]
    unheard = [each for each in seen.projects if each.unheard]
    errors += [Text(f"{each.name}: {each.unheard}", style="yellow") for each in unheard]
    if seen.version not in ("", VERSION):
        errors.append(Text(f"TuneOps {seen.version} runs there; this is {VERSION}", style="yellow"))
    if not detailed:
        return Group(table, *errors)
    details = [part for each in seen.projects if each.release for part in course(each.release)]
    rejected = [Text(why, style="yellow") for project in seen.projects for why in project.rejected]
    return Group(table, *details, *rejected, *errors)


def _why(project: ProjectStatus) -> str:
    """Why it is in its phase; of a preview, which pull request it is there for."""
    if project.preview is None:
        return project.reason
    until = f"{project.preview.until.astimezone():%Y-%m-%d %H:%M}"
    return f"preview of pull request {project.preview.number} until {until}: {project.reason}"


def _watch(target: Target, project: str | None, seen: Status) -> None:
    shown = render(seen, detailed=project is not None)
    with Live(shown, console=console(), refresh_per_second=4) as live:
        while True:
            time.sleep(WATCH_SECONDS)
            try:
                now = target.look(project)
            except LostError as error:
                live.update(Group(shown, Text(f"{error}; asking again", style="yellow")))
                continue
            except NoAnswerError as error:
                raise fail(str(error)) from error
            if now is None:
                raise fail(f"there is no project {project}")
            shown = render(now, detailed=project is not None)
            live.update(shown)

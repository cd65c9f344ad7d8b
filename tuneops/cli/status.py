"""``tuneops status``."""

import time
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tuneops.behaviour.text import score_text
from tuneops.cli.target import STATE, KeyOption, StateOption, Target, UrlOption
from tuneops.estimate_text import beside
from tuneops.estimates import Actuals
from tuneops.notify.messages import metrics_text
from tuneops.status import ProjectStatus, Status

WATCH_SECONDS = 2
_COLOURS = {"Live": "green", "Failed": "red", "Retired": "dim", "Waiting for data": "yellow"}


def status(
    project: Annotated[str | None, typer.Argument(help="Only this project.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
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
        typer.echo(seen.model_dump_json(indent=2))
    elif watch:
        _watch(target, project, seen)
    else:
        Console().print(render(seen, detailed=project is not None))


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
            _why(project),
        )
    errors = [Text(error, style="red") for error in seen.config_errors]
    unheard = [each for each in seen.projects if each.unheard]
    errors += [Text(f"{each.name}: {each.unheard}", style="yellow") for each in unheard]
    if not detailed:
        return Group(table, *errors)
    parts = (history, checks, sets, estimates)
    details = [part(each) for each in seen.projects for part in parts]
    rejected = [Text(why, style="yellow") for project in seen.projects for why in project.rejected]
    return Group(table, *details, *rejected, *errors)


def _why(project: ProjectStatus) -> str:
    """Why it is in its phase; of a preview, which pull request it is there for."""
    if project.preview is None:
        return project.reason
    until = f"{project.preview.until.astimezone():%Y-%m-%d %H:%M}"
    return f"preview of pull request {project.preview.number} until {until}: {project.reason}"


def history(project: ProjectStatus) -> Table:
    """The phases of the project's newest release with their times."""
    table = Table("At", "Phase", "Why", box=None, pad_edge=False, title=None)
    for entry in project.release.history if project.release else ():
        table.add_row(f"{entry.at.astimezone():%H:%M:%S}", entry.phase, entry.reason)
    return table


def estimates(project: ProjectStatus) -> Table:
    """What was foretold of the project's newest release, beside what came so far."""
    release = project.release
    table = Table("", "Forecast", "Came", box=None, pad_edge=False)
    if release:
        for row in beside(release.forecast, release.actuals or Actuals()):
            table.add_row(*row)
    return table


def checks(project: ProjectStatus) -> Table:
    """What the checks of the newest release's metrics found."""
    table = Table("Check", "Outcome", "Why", box=None, pad_edge=False, title=None)
    for check in project.release.checks if project.release else ():
        table.add_row(check.name, check.outcome.replace("_", " "), check.text)
    return table


def sets(project: ProjectStatus) -> Table:
    """What the evaluation sets say of the newest release, beside the live deployment."""
    table = Table("Evaluation set", "Verdict", "Scores", box=None, pad_edge=False, title=None)
    behaviour = project.release.behaviour if project.release else None
    for each in behaviour.comparisons if behaviour else ():
        table.add_row(each.name, each.verdict, score_text(each))
    return table


def _watch(target: Target, project: str | None, seen: Status) -> None:
    with Live(render(seen, detailed=project is not None), refresh_per_second=4) as live:
        try:
            while True:
                time.sleep(WATCH_SECONDS)
                live.update(render(target.status(project), detailed=project is not None))
        except KeyboardInterrupt:
            return

"""``tuneops plan``."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from tuneops.azureml.workspace import Workspace
from tuneops.cli.against import GitError, before
from tuneops.cli.output import JsonOption, console
from tuneops.cli.planned import PlannedProject, find
from tuneops.cli.pull import comment
from tuneops.cli.release_tables import inputs
from tuneops.cli.target import STATE, KeyOption, StateOption, Target, UrlOption, fail
from tuneops.cli.workspaces import settings_of
from tuneops.estimate_text import facts as facts_of
from tuneops.outcome import SAID, Change, Kind

FOLDER = Path("finetune")
CHANGES = 2
_INTERNAL: dict[str, set[str] | bool] = {"plan": {"digest", "attempt"}, "data": True}


def plan(
    path: Annotated[Path, typer.Argument(help="A config file, or a folder of them.")] = FOLDER,
    azure: Annotated[
        bool,
        typer.Option(
            help="Ask your workspace: config.json here, or TUNEOPS_SUBSCRIPTION_ID and so on."
        ),
    ] = False,
    environment: Annotated[
        str, typer.Option(help="The environment of the configs, if it has a name.")
    ] = "",
    against: Annotated[
        str,
        typer.Option(
            metavar="REF",
            help="Only what differs from this commit or branch, set beside what stood there.",
        ),
    ] = "",
    pull: Annotated[
        int | None,
        typer.Option(min=1, help="In a workflow: say it on this pull request, in one comment."),
    ] = None,
    as_json: JsonOption = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Show what configs would change, what they would train with, and whether it can be served.

    Nothing is submitted. Model and component are looked up, machines and quota checked, and each
    project is set beside its newest release, if the running TuneOps can be asked, or beside another
    commit, and held against tuneops-policy.yaml beside the configs or in the folder above. Every
    input of the pipeline is shown with who decided its value.

    Exits with 0 when there is nothing to do, 2 when something would change, 1 when a config can't
    be carried out.

    Example: tuneops plan finetune/support-bot.yaml
    """
    workspace = Workspace(settings_of(azure=azure, state=state))
    target = None if azure and not url else Target.find(url, key, state)
    try:
        earlier = before(against, path) if against else None
    except GitError as error:
        raise fail(f"--against {against}: {error}") from error
    found = find(path, environment, earlier, workspace, target)
    if pull:
        comment(pull, found.errors, found.findings, environment)
    if found.wrong:
        raise fail("\n".join(found.wrong))
    if as_json:
        shown = [*found.planned, *found.removed]
        listed = [each.model_dump(mode="json", exclude=_INTERNAL) for each in shown]
        typer.echo(json.dumps(listed, indent=2))
    else:
        removed = (Text(f"{each.project}: {each.removal}") for each in found.removed)
        console().print(*map(render, found.planned), *removed, sep="\n\n")
    if found.changes:
        raise typer.Exit(CHANGES)


def render(planned: PlannedProject) -> Group:
    """The plan as tables: what changes, what it runs on, and the pipeline's inputs."""
    found = planned.plan
    facts = Table(box=None, show_header=False, pad_edge=False)
    for name, value in (
        ("project", f"{planned.project}: {SAID[planned.outcome.kind]}"),
        *((change.field, _shown(change)) for change in planned.outcome.changes),
        ("model", found.base_model),
        ("component", found.component),
        ("trains on", f"{found.nodes} x {found.compute_size}"),
        ("endpoint", planned.endpoint),
        ("deployment", planned.deployment),
        *((f"forecast: {name}", text) for name, text in facts_of(planned.forecast)),
        *(("note", note) for note in found.notes),
    ):
        facts.add_row(name, Text(value))
    if planned.outcome.kind != Kind.TRAIN:
        return Group(facts)
    return Group(facts, "", inputs(found.parameters))


def _shown(change: Change) -> str:
    return f"{change.before or '(not set)'} -> {change.after or '(not set)'}"

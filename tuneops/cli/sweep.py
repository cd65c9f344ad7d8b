"""``tuneops sweep`` and ``tuneops restore``."""

import getpass
from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from tuneops.cli.output import JsonOption, print_json
from tuneops.cli.rollback import say
from tuneops.cli.target import STATE, KeyOption, StateOption, Target, UrlOption
from tuneops.sweep.kept import Kept
from tuneops.sweep.view import SweepView, WorkspaceView


def sweep(
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Look now, and show what is kept as well; change nothing."),
    ] = False,
    as_json: JsonOption = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Show what carries TuneOps's tags and belongs to nothing, with the proof that nobody uses it.

    This is what the last sweep found; the timer sweeps, this command changes nothing.

    Example: tuneops sweep --dry-run
    """
    seen = Target.find(url, key, state).sweep(look=dry_run)
    if as_json:
        print_json(seen)
        return
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for workspace in seen.workspaces:
        _show(workspace, console)
    if seen.swept:
        console.print(_swept(seen))
    if seen.mode == "delete" and not seen.told:
        console.print("Nothing is deleted: nobody is set who could be told.")
    elif seen.mode != "delete":
        console.print(f"Nothing is deleted: TUNEOPS_SWEEP is {seen.mode}.")


def restore(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="As 'tuneops sweep' shows it.")],
    reason: Annotated[str, typer.Option(help="What people are told, in one line.")] = "",
    as_json: JsonOption = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Bring back what was swept away, from its record, and have it left alone from then on.

    Example: tuneops restore 0123456789ab --reason "the demo uses it"
    """
    try:
        caller = getpass.getuser()
    except (OSError, KeyError):
        caller = ""
    target = Target.find(url, key, state)
    path = f"swept/{quote(identifier, safe='')}/restore"
    answer = target.post(path, {"by": caller, "reason": reason})
    say(answer, as_json=as_json)


def _show(workspace: WorkspaceView, console: Console) -> None:
    name = workspace.workspace.rpartition("/")[2]
    if workspace.trouble:
        console.print(f"{name} could not be looked at: {workspace.trouble}")
    if workspace.looked_at is None:
        console.print(f"{name}: not swept yet")
        return
    at = f"{workspace.looked_at.astimezone():%Y-%m-%d %H:%M}"
    what = f"{len(workspace.found)} of {workspace.total} resources belong to nothing"
    console.print(f"{name}, {at}: {what}")
    for each in workspace.found:
        console.print(f"  {each.finding.id}  {each.line}")
    if workspace.stopped:
        console.print(f"  {workspace.stopped}")
    for kept in workspace.kept:
        console.print(f"  kept  {_kept(kept)}")


def _kept(kept: Kept) -> str:
    assets = [*(f"model {name}" for name in kept.models), *(f"data {name}" for name in kept.data)]
    if kept.prepared_folders:
        size = f"{kept.prepared_bytes / 1e6:.1f} MB"
        assets.append(f"{kept.prepared_folders} folders of prepared data ({size})")
    return f"{kept.project}: {', '.join(assets)}"


def _swept(seen: SweepView) -> Table:
    table = Table("Id", "Swept away", "Project", "At", "Restoration", box=None, pad_edge=False)
    for each in seen.swept:
        at = f"{each.at.astimezone():%Y-%m-%d %H:%M}"
        table.add_row(each.id, each.label, each.project, at, each.restoration)
    return table

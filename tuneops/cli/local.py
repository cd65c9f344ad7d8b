"""``tuneops local``: the local cloud, started by name as a program of its own."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from tuneops.cli.output import JsonOption, print_json
from tuneops.cli.target import STATE, StateOption, read_connection

app = typer.Typer(no_args_is_help=True)


class LocalCloud(BaseModel):
    """Where a local cloud keeps its state, whether it runs, and where it shows all projects."""

    state: str
    running: bool
    page: str = ""


@app.command()
def up(as_json: JsonOption = False, state: StateOption = STATE) -> None:
    """Start the local cloud in the background, with TuneOps in it.

    Example: tuneops local up
    """
    _run("up", state, as_json=as_json)


@app.command()
def down(as_json: JsonOption = False, state: StateOption = STATE) -> None:
    """Stop the local cloud; what it stored stays.

    Example: tuneops local down
    """
    _run("down", state, as_json=as_json)


@app.command()
def demo(
    state: StateOption = STATE / "demo",
    keep: Annotated[bool, typer.Option(help="Leave the local cloud running.")] = False,
) -> None:
    """Run the whole loop on the local cloud: two releases, then the end of the project.

    Example: tuneops local demo
    """
    from tuneops.cli.demo import Demo

    raise typer.Exit(Demo(state, keep=keep).run())


def page_address(state: Path) -> str:
    """Where the local cloud shows all projects."""
    return f"{read_connection(state)['functions']['base_url']}/"


def _run(command: str, state: Path, *, as_json: bool) -> None:
    code = localcloud(command, state, quiet=as_json)
    if code:
        raise typer.Exit(code)
    page = page_address(state) if command == "up" else ""
    if as_json:
        print_json(LocalCloud(state=str(state), running=command == "up", page=page))
    elif page:
        typer.echo(f"The page is at {page}")


def localcloud(command: str, state: object, *options: str, quiet: bool = False) -> int:
    """Run a command of the local cloud; gives its exit code. If quiet, it says all on stderr."""
    line = [sys.executable, "-m", "localcloud", command, "--state", str(state), *options]
    return subprocess.run(line, check=False, stdout=sys.stderr if quiet else None).returncode

"""``tuneops local``: the local cloud, started by name as a program of its own."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from tuneops.cli.target import STATE, StateOption, read_connection

app = typer.Typer(no_args_is_help=True)


@app.command()
def up(state: StateOption = STATE) -> None:
    """Start the local cloud in the background, with TuneOps in it.

    Example: tuneops local up
    """
    code = localcloud("up", state)
    if code == 0:
        typer.echo(f"The page is at {page_address(state)}")
    raise typer.Exit(code)


@app.command()
def down(state: StateOption = STATE) -> None:
    """Stop the local cloud; what it stored stays.

    Example: tuneops local down
    """
    raise typer.Exit(localcloud("down", state))


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


def localcloud(command: str, state: object, *options: str) -> int:
    """Run a command of the local cloud; gives its exit code."""
    line = [sys.executable, "-m", "localcloud", command, "--state", str(state), *options]
    return subprocess.run(line, check=False).returncode

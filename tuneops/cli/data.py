"""``tuneops data``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tuneops.cli.target import (
    STATE,
    AccountOption,
    KeyOption,
    StateOption,
    Target,
    UrlOption,
    fail,
    open_storage,
)
from tuneops.data.lines import split_lines
from tuneops.data.rows import RowError, parse_row

SHOWN_PROBLEMS = 10

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Training data."""


@app.command()
def upload(
    project: Annotated[str, typer.Argument(help="The project to train.")],
    file: Annotated[Path, typer.Argument(help="A .jsonl file of conversations.")],
    url: UrlOption = "",
    key: KeyOption = "",
    account_url: AccountOption = "",
    state: StateOption = STATE,
) -> None:
    """Upload training data to the project's folder; its next release trains on it.

    Every row is checked first; a file without a valid row is not uploaded.

    Example: tuneops data upload support-bot support-bot.jsonl
    """
    target = Target.find(url, key, state)
    folder = target.status(project).projects[0].data_path
    if not folder:
        raise fail(f"project {project} takes its data from the Hugging Face hub, or is gone")
    if file.suffix != ".jsonl":
        raise fail(f"{file} is no .jsonl file")
    _check(file)
    blob = open_storage(account_url, state).get_blob_client(
        target.datasets_container, f"{folder}{file.name}"
    )
    with file.open("rb") as content:
        blob.upload_blob(content, overwrite=True)
    Console().print(f"uploaded to {target.datasets_container}/{folder}{file.name}")


def _check(file: Path) -> None:
    valid, problems = 0, list[str]()
    try:
        with file.open("rb") as stream:
            chunks = iter(lambda: stream.read(1024 * 1024), b"")
            for number, line in enumerate(split_lines(chunks), start=1):
                try:
                    valid += bool(line) and bool(parse_row(line))
                except RowError as error:
                    problems.append(f"{file}:{number}: {error}")
    except OSError as error:
        raise fail(f"{file}: {error.strerror}") from error
    for problem in problems[:SHOWN_PROBLEMS]:
        typer.echo(problem, err=True)
    if len(problems) > SHOWN_PROBLEMS:
        typer.echo(f"... and {len(problems) - SHOWN_PROBLEMS} more", err=True)
    if not valid:
        raise fail(f"{file} has no valid row, nothing was uploaded")
    Console().print(f"{valid} valid rows, {len(problems)} bad ones")

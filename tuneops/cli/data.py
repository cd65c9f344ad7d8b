"""``tuneops data``."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.progress import Progress

from tuneops.cli.completion import ProjectArgument
from tuneops.cli.data_report import render
from tuneops.cli.output import JsonOption, console, print_json
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
from tuneops.config import SmokeTest
from tuneops.data import local
from tuneops.data.errors import DataError
from tuneops.data.formats import format_of
from tuneops.data.outputs import Folder, Nowhere, Sink
from tuneops.data.preparation import REJECTED, REPORT_HTML, REPORT_JSON, Prepared, Wanted, prepare
from tuneops.data.prepare import SAMPLE, sample_score
from tuneops.data.report import DataReport
from tuneops.data.settings import OnDuplicate
from tuneops.data.shapes import Shape
from tuneops.data.split import PARTS

ANY_SHARE = 100.0

app = typer.Typer(no_args_is_help=True)

Source = Annotated[Path, typer.Argument(help="A data file, or a folder of them.")]
ShapeOption = Annotated[Shape, typer.Option(help="How rows hold a conversation.")]
InvalidOption = Annotated[float, typer.Option(help="Percentage of bad rows that is allowed.")]
LengthOption = Annotated[int, typer.Option(help="Tokens of a row that the training uses.")]
ProcessOption = Annotated[int, typer.Option(help="Processes that check rows; 0: one a core.")]


class Uploaded(BaseModel):
    """What was uploaded, and where to."""

    path: str
    valid_rows: int
    bad_rows: int


@app.callback()
def _group() -> None:
    """Training data."""


@app.command()
def check(
    source: Source,
    shape: ShapeOption = "auto",
    max_invalid_percent: InvalidOption = 0.1,
    max_seq_length: LengthOption = -1,
    processes: ProcessOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Check training data and explain it; nothing is written.

    Exits with 1 when a release would be refused for this data.

    Example: tuneops data check support-bot.jsonl
    """
    wanted = Wanted(
        shape=shape, max_invalid_percent=max_invalid_percent, max_seq_length=max_seq_length
    )
    found = _prepare(source, wanted, Nowhere(), processes).report
    _show(found, as_json)


@app.command("prepare")
def prepare_command(
    source: Source,
    out: Annotated[Path, typer.Option(help="The folder for the prepared files.")],
    shape: ShapeOption = "auto",
    test_percent: Annotated[float, typer.Option(help="Share of rows held out.")] = 10.0,
    validation_percent: Annotated[float, typer.Option(help="Share to watch with.")] = 0.0,
    sample_percent: Annotated[float, typer.Option(help="Share of rows that is used.")] = 100.0,
    max_rows: Annotated[int | None, typer.Option(help="Rows that are used at most.")] = None,
    max_invalid_percent: InvalidOption = 0.1,
    on_duplicate: Annotated[OnDuplicate, typer.Option(help="With a row that is known.")] = "drop",
    max_seq_length: LengthOption = -1,
    processes: ProcessOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Prepare training data as a release would, into a local folder.

    Example: tuneops data prepare support-bot.jsonl --out prepared
    """
    wanted = Wanted(
        shape=shape,
        test_percent=test_percent,
        validation_percent=validation_percent,
        sample_percent=sample_percent,
        max_rows=max_rows,
        max_invalid_percent=max_invalid_percent,
        on_duplicate=on_duplicate,
        max_seq_length=max_seq_length,
    )
    with Folder(out) as sink:
        made = _prepare(source, wanted, sink, processes)
        sink.write(SAMPLE, sample_score(made.questions[0], SmokeTest()))
        parts = {f"{part}.jsonl" for part in PARTS}
        sink.commit(parts | {REJECTED, REPORT_JSON, REPORT_HTML, SAMPLE})
    _show(made.report, as_json)
    typer.echo(f"prepared in {out}", err=True)


@app.command()
def upload(
    project: ProjectArgument,
    file: Annotated[Path, typer.Argument(help="A data file.")],
    as_json: JsonOption = False,
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
    if format_of(file.name) is None:
        raise fail(f"{file} has no known format")
    found = _prepare(file, Wanted(max_invalid_percent=ANY_SHARE), Nowhere(), 0).report
    for reason in found.reasons:
        for example in reason.examples:
            typer.echo(example, err=True)
    blob = open_storage(account_url, state).get_blob_client(
        target.datasets_container, f"{folder}{file.name}"
    )
    with file.open("rb") as content:
        blob.upload_blob(content, overwrite=True)
    done = Uploaded(
        path=f"{target.datasets_container}/{folder}{file.name}",
        valid_rows=found.read - found.rejected,
        bad_rows=found.rejected,
    )
    if as_json:
        print_json(done)
    else:
        typer.echo(f"{done.valid_rows} valid rows, {done.bad_rows} bad ones")
        typer.echo(f"uploaded to {done.path}")


def _prepare(source: Path, wanted: Wanted, sink: Sink, processes: int) -> Prepared:
    cores = processes or os.cpu_count() or 1
    try:
        with _progress(source) as told:
            found = local.inputs(source, told)
            return prepare(found, wanted, sink, str(source), processes=cores)
    except DataError as error:
        raise fail(str(error)) from error


@contextmanager
def _progress(source: Path) -> Iterator[local.Progress]:
    """A bar on a terminal, nothing elsewhere."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=local.size(source) if source.exists() else None)
        yield lambda size: bar.advance(task, size)


def _show(report: DataReport, as_json: bool) -> None:
    if as_json:
        print_json(report)
    else:
        console().print(render(report))

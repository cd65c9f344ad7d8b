"""``tuneops logs``."""

import time
from typing import Annotated

import typer

from tuneops.cli import reading
from tuneops.cli.completion import ProjectArgument, ReleaseArgument
from tuneops.cli.output import JsonOption, plain, print_json
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
from tuneops.reading.logs import Log, Of, Piece
from tuneops.reading.positions import START

LOOK_SECONDS = 2.0
MAX_LOST_SECONDS = 30.0


def logs(
    project: ProjectArgument,
    release: ReleaseArgument = None,
    of: Annotated[Of, typer.Option(help="What has written it.")] = Of.JOB,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as long as something may come.")
    ] = False,
    as_json: JsonOption = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Print what a release's training job, its data's job or its deployment has written.

    With --follow it goes on until the release has left the phase in which that is written, or until
    Ctrl-C; while TuneOps can't be reached, it is asked again.

    Example: tuneops logs support-bot --follow
    """
    if follow and as_json:
        raise typer.BadParameter("--follow has no end that one JSON document could have")
    target = Target.find(url, key, state)
    reader = Reader(target, project, release, of)
    try:
        if follow:
            reader.follow()
        else:
            reader.read(as_json=as_json)
    except NoAnswerError as error:
        raise fail(str(error)) from error


class Reader:
    """A log as far as it was read."""

    def __init__(self, target: Target, project: str, release: int | None, of: Of) -> None:
        self._target = target
        self._project = project
        self._release = release
        self._of = of
        self._after = START
        self._file = ""

    def read(self, *, as_json: bool) -> None:
        """Print what there is now.

        Raises:
            NoAnswerError: it can't be had.
        """
        seen = [self._next()]
        while seen[-1].more:
            if not as_json:
                self._print(seen[-1])
            seen.append(self._next())
        if as_json:
            print_json(_joined(seen))
        else:
            self._print(seen[-1])

    def follow(self) -> None:
        """Print what there is and what comes, until nothing more can.

        Raises:
            NoAnswerError: it can't be had, and not for want of a connection.
        """
        over, begun, lost = False, False, 0.0
        while True:
            try:
                seen = self._next()
            except LostError as error:
                if not begun:
                    raise
                lost = min(2 * lost + 1, MAX_LOST_SECONDS)
                typer.echo(f"[{error}; asking again in {lost:g} s]", err=True)
                time.sleep(lost)
                continue
            if lost:
                typer.echo("[it answers again]", err=True)
            begun, lost = True, 0.0
            self._print(seen)
            if over and not seen.more:
                typer.echo(f"[release {seen.release} is {seen.phase}]", err=True)
                return
            over = seen.over and not seen.more
            if not seen.more:
                time.sleep(LOOK_SECONDS)

    def _next(self) -> Log:
        seen = reading.log(self._target, self._project, self._release, self._of, self._after)
        self._release, self._after = seen.release, seen.next
        return seen

    def _print(self, seen: Log) -> None:
        """The pieces, each under the name of its file where that is another than before."""
        if seen.gap:
            typer.echo("[lines are missing: more was written than is kept]", err=True)
        for piece in seen.pieces:
            if piece.file != self._file:
                typer.echo(f"==> {piece.file} <==", err=True)
                self._file = piece.file
            typer.echo(plain(piece.text), nl=not piece.text.endswith("\n"))


def _joined(seen: list[Log]) -> Log:
    """All of them as one, with the text of each file in one piece."""
    texts: dict[str, str] = {}
    for piece in (piece for each in seen for piece in each.pieces):
        texts[piece.file] = texts.get(piece.file, "") + piece.text
    pieces = tuple(Piece(file=file, text=text) for file, text in texts.items())
    return seen[-1].model_copy(update={"pieces": pieces, "gap": any(each.gap for each in seen)})

"""What all commands have in common: the global options, and how errors are told."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tuneops.scrub import scrub
from tuneops.version import VERSION

MAX_SAID = 500
_TYPERS_OWN = (typer.Exit, typer.Abort, typer.TyperException, EOFError, BrokenPipeError)
"""By these Typer ends a command; a pipe may be closed at any time."""


class Root(TyperGroup):
    """The group of all commands: an error that none expected is one line, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if ctx.params.get("debug") or isinstance(error, _TYPERS_OWN):
                raise
            typer.echo(_said(error), err=True)
            raise typer.Exit(1) from error


def _show_version(given: bool) -> None:
    if given:
        typer.echo(f"tuneops {VERSION}")
        raise typer.Exit


def options(
    debug: Annotated[
        bool,
        typer.Option("--debug", envvar="TUNEOPS_DEBUG", help="Show unexpected errors in full."),
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    """GitOps for fine-tuning language models on Azure Machine Learning.

    Commands ask the local cloud, or the function app that TUNEOPS_URL and TUNEOPS_FUNCTION_KEY
    name. They exit with 0 when all is well, 1 when something failed or was refused, 2 when the
    command line is wrong, 130 after Ctrl-C.

    Example: tuneops status
    """


def _said(error: Exception) -> str:
    text = scrub(" ".join(str(error).split()))[:MAX_SAID]
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return f"unexpected error: {what}. See more with 'tuneops --debug ...'"

"""The project that a command is about, whose name the shell completes."""

import io
from contextlib import redirect_stderr, suppress
from pathlib import Path
from typing import Annotated

import typer

from tuneops.cli.target import STATE, Target

SECONDS = 2
"""A shell waits for this."""


def project_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """The projects that begin like this; none where no running TuneOps can be asked."""
    given = ctx.params
    with suppress(Exception), redirect_stderr(io.StringIO()):
        state = Path(given.get("state") or STATE)
        target = Target.find(given.get("url") or "", given.get("key") or "", state)
        return [name for name in target.names(SECONDS) if name.startswith(incomplete)]
    return []


ProjectArgument = Annotated[
    str, typer.Argument(help="The project's name.", autocompletion=project_names)
]
ReleaseArgument = Annotated[
    int | None, typer.Argument(min=1, help="The release's number; left out, the newest.")
]

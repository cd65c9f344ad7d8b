"""``tuneops suspend`` and ``tuneops resume``."""

import typer

from tuneops.cli.rollback import ProjectArgument, ReasonOption, give
from tuneops.cli.target import STATE, KeyOption, StateOption, Target, UrlOption


def suspend(
    project: ProjectArgument,
    reason: ReasonOption = "",
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Have everything of a project stay as it is until it is resumed; what is live serves on.

    Example: tuneops suspend support-bot --reason "the uploads of today are wrong"
    """
    target = Target.find(url, key, state)
    typer.echo(give(target, project, "suspend", {"reason": reason}).text)


def resume(
    project: ProjectArgument,
    reason: ReasonOption = "",
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Have a project go on that was suspended.

    Example: tuneops resume support-bot
    """
    target = Target.find(url, key, state)
    typer.echo(give(target, project, "resume", {"reason": reason}).text)

"""``tuneops rollback`` and ``tuneops retry``."""

import getpass
from typing import Annotated, Any

import typer

from tuneops.cli.completion import ProjectArgument
from tuneops.cli.output import JsonOption, print_json
from tuneops.cli.target import STATE, KeyOption, StateOption, Target, UrlOption
from tuneops.rollback import Answer

ReasonOption = Annotated[str, typer.Option(help="What people are told, in one line.")]


def rollback(
    project: ProjectArgument,
    to: Annotated[
        int | None,
        typer.Option(
            help="The release; left out, the newest good one before what is live, or that one "
            "while traffic moves to a newer one."
        ),
    ] = None,
    pin: Annotated[
        bool, typer.Option("--pin", help="An emergency: go back at once, whatever git says.")
    ] = False,
    unpin: Annotated[bool, typer.Option("--unpin", help="End a pin: follow git again.")] = False,
    by_hand: Annotated[
        bool, typer.Option("--print", help="Only print the git commands that do it.")
    ] = False,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Go back to an earlier release: its registered model goes live again, nothing is trained.

    Git says what runs, so this opens a pull request that puts the config back; merging it is the
    rollback. With --pin the release goes live at once and is held, for everybody to see in the
    status, until git agrees; what is merged or uploaded meanwhile waits. What a pin has moved away
    from does not come back by itself: change it, or see 'tuneops retry'.

    Example: tuneops rollback support-bot --pin --reason "answers in French"
    """
    asked = {"pin": pin, "unpin": unpin, "print": by_hand}
    chosen = [action for action, given in asked.items() if given]
    if len(chosen) > 1 or (unpin and to is not None):
        raise typer.BadParameter("give one of --pin, --unpin and --print; --unpin takes no --to")
    order = {"action": (chosen or ["propose"])[0], "to": to, "reason": reason}
    answer = give(Target.find(url, key, state), project, "rollback", order)
    if as_json:
        print_json(answer)
        return
    typer.echo(answer.text)
    if answer.pull_request:
        typer.echo(answer.pull_request)
    if by_hand:
        typer.echo("\n".join(answer.commands))


def retry(
    project: ProjectArgument,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Try again what failed, or what was rolled back and git still wants.

    What was done stays: a model that is registered is not trained again.

    Example: tuneops retry support-bot
    """
    target = Target.find(url, key, state)
    say(give(target, project, "retry", {"reason": reason}), as_json=as_json)


def say(answer: Answer, *, as_json: bool) -> None:
    """Print what an order has led to."""
    if as_json:
        print_json(answer)
    else:
        typer.echo(answer.text)


def give(target: Target, project: str, what: str, order: dict[str, Any]) -> Answer:
    """Give the order in the name of whoever runs this command."""
    try:
        caller = getpass.getuser()
    except (OSError, KeyError):
        caller = ""
    return target.order(project, what, {**order, "by": caller})

"""``tuneops approve``."""

from typing import Annotated

import typer

from tuneops.cli.completion import ProjectArgument
from tuneops.cli.output import JsonOption
from tuneops.cli.rollback import ReasonOption, give, say
from tuneops.cli.target import STATE, KeyOption, StateOption, Target, UrlOption


def approve(
    project: ProjectArgument,
    release: Annotated[
        int | None, typer.Option(help="The release that is meant; left out, the newest.")
    ] = None,
    share: Annotated[
        int | None,
        typer.Option(help="The share in percent that is meant; left out, whatever is asked."),
    ] = None,
    reject: Annotated[
        bool, typer.Option("--reject", help="It may not go on: the traffic goes back.")
    ] = False,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Let a release go on that waits for approval, or whose step is held.

    The first answer counts, and only for the step that asks. 'tuneops status' shows what waits; on
    the merged pull request the comment '/tuneops approve' says the same.

    Example: tuneops approve support-bot
    """
    order = {"release": release, "share": share, "reject": reject, "reason": reason}
    say(give(Target.find(url, key, state), project, "approve", order), as_json=as_json)

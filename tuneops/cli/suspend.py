"""``tuneops suspend`` and ``tuneops resume``."""

from tuneops.cli.completion import ProjectArgument
from tuneops.cli.output import JsonOption
from tuneops.cli.rollback import ReasonOption, give, say
from tuneops.cli.target import STATE, KeyOption, StateOption, Target, UrlOption


def suspend(
    project: ProjectArgument,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Have everything of a project stay as it is until it is resumed; what is live serves on.

    Example: tuneops suspend support-bot --reason "the uploads of today are wrong"
    """
    target = Target.find(url, key, state)
    say(give(target, project, "suspend", {"reason": reason}), as_json=as_json)


def resume(
    project: ProjectArgument,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
    url: UrlOption = "",
    key: KeyOption = "",
    state: StateOption = STATE,
) -> None:
    """Have a project go on that was suspended.

    Example: tuneops resume support-bot
    """
    target = Target.find(url, key, state)
    say(give(target, project, "resume", {"reason": reason}), as_json=as_json)

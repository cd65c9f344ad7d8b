"""By which commit it came what is desired, for people; not to know it does no harm."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from tuneops.cause import Brought
from tuneops.desired import Desired
from tuneops.gitops.errors import GitHubError
from tuneops.gitops.snapshot import Head
from tuneops.message import Message
from tuneops.notify.plain import line
from tuneops.notify.why import commit_text

MAX_ASKED = 5
"""For so many files of one look GitHub is asked; the rest are taken to be the newest commit's."""

Ask = Callable[[list[str]], Mapping[str, Brought]]

log = logging.getLogger(__name__)


def credited(desired: Sequence[Desired], before: str, head: Head, ask: Ask) -> list[Desired]:
    """What is desired with the commits that brought it; `before` is the commit read last.

    Where the head alone was pushed or merged, it has brought everything, and nobody is asked. `ask`
    gives the commits that changed files last, by path.
    """
    alone = not head.parents or head.parents[0] == before
    paths = [] if alone else [each.path for each in desired[:MAX_ASKED]]
    try:
        known = ask(paths) if paths else {}
    except GitHubError as error:
        log.warning("which commit before %s changed what is not known: %s", head.commit, error)
        known = {}
    return [each.replace(brought=known.get(each.path, head.brought)) for each in desired]


def explained(told: Iterable[Message], head: Head) -> tuple[Message, ...]:
    """The messages with what the head says of itself, where they are about it."""
    why = line(commit_text(head.brought)) if head.brought else ""
    return tuple(
        each.replace(why=why) if each.commit == head.commit and not each.why else each
        for each in told
    )

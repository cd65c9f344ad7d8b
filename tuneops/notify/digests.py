"""Several messages as one, for a channel that wants few. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from tuneops import names
from tuneops.message import SEVERITIES, Message, Severity
from tuneops.notify.plain import MAX_TEXT, fitted, line

EVENT = "digest"
MAX_LINES = 30
"""So many messages are shown at most, the newest; of the others how many there are."""
MAX_LINE = 200
MAX_LINKS = 5


def digest(messages: Sequence[Message], at: datetime) -> Message:
    """The messages as one, which has a key of theirs: the same ones are the same digest.

    They are grouped by project, in their order: the newest stands last. One alone is itself.

    Raises:
        ValueError: there are none.
    """
    if len(messages) == 1:
        return messages[0]
    projects = list(_groups(messages))
    told = Message(
        key=f"{EVENT}:{names.digest([each.key for each in messages])}",
        event=EVENT,
        title=_title(messages, projects),
        text=_text(messages),
        at=at,
        severity=worst(messages),
        links=_links(messages),
        project=projects[0] if len(projects) == 1 else "",
    )
    return fitted(told)


def worst(messages: Sequence[Message]) -> Severity:
    """The severity of the message that matters most.

    Raises:
        ValueError: there are no messages.
    """
    return max((each.severity for each in messages), key=SEVERITIES.index)


def _groups(messages: Sequence[Message]) -> dict[str, list[Message]]:
    """The messages of each project, the project of the newest message last."""
    groups: dict[str, list[Message]] = {}
    for each in messages:
        groups[each.project] = [*groups.pop(each.project, []), each]
    return groups


def _title(messages: Sequence[Message], projects: Sequence[str]) -> str:
    named = [project for project in projects if project]
    of = f" of {len(named)} projects" if len(named) > 1 else "".join(f" of {n}" for n in named)
    bad = (f"{count} {each}s" if count > 1 else f"1 {each}" for each, count in _counted(messages))
    return ", ".join((f"{len(messages)} messages{of}", *bad))


def _counted(messages: Sequence[Message]) -> Iterator[tuple[str, int]]:
    """How many there are of each severity that asks for somebody, the worst first."""
    for severity in reversed(SEVERITIES[1:]):
        count = sum(each.severity == severity for each in messages)
        if count:
            yield severity, count


def _text(messages: Sequence[Message]) -> str:
    kept = _newest(messages)
    lines = []
    for project, told in _groups(kept).items():
        lines += [_heading(project), *map(_line, told)]
    left = len(messages) - len(kept)
    return "\n".join([*lines, *([f"and {left} more, earlier ones"] if left else [])])


def _newest(messages: Sequence[Message]) -> list[Message]:
    """The newest messages, as many as there is room for, in their order."""
    kept: list[Message] = []
    room = MAX_TEXT - MAX_LINE
    for each in reversed(messages[-MAX_LINES:]):
        room -= len(_heading(each.project)) + len(_line(each)) + 2
        if room < 0:
            break
        kept.insert(0, each)
    return kept


def _heading(project: str) -> str:
    return f"{project or 'of no project'}:"


def _line(message: Message) -> str:
    subject, _, rest = message.title.partition(": ")
    said = rest if rest and subject == message.project else message.title
    detail = message.figure or message.text.partition("\n")[0]
    return line(f"- {message.at:%H:%M} UTC {said}: {detail}", MAX_LINE)


def _links(messages: Sequence[Message]) -> dict[str, str]:
    """The page of the newest message of each project, for the newest projects."""
    newest = {project: told[-1] for project, told in _groups(messages).items()}
    pages = {project or "page": each.links.get("page", "") for project, each in newest.items()}
    return dict([(name, url) for name, url in pages.items() if url][-MAX_LINKS:])

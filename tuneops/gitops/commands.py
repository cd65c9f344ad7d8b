"""What a comment orders. Pure.

A command is the first thing in a comment; only quoted text, with a blank line after it, may come
before it. So nothing that is quoted, shown as code or hidden orders anything.
"""

import re
from dataclasses import dataclass
from typing import Literal

from tuneops.names import PROJECT_KEY

WORD = "/tuneops"
USAGE = f"write '{WORD} approve' or '{WORD} reject', and if you like PROJECT RELEASE SHARE%"
_ORDER = re.compile(
    rf"(?P<verb>approve|reject)(?: (?P<project>{PROJECT_KEY.strip('^$')}))?"
    r"(?: (?P<release>[1-9]\d{0,8}))?(?: (?P<share>\d{1,3})%)?"
)


@dataclass(frozen=True)
class Command:
    """An order; `problem` says why it is none that is known."""

    verb: Literal["approve", "reject"] = "approve"
    project: str = ""
    release: int | None = None
    share: int | None = None
    problem: str = ""


def parse(body: str) -> Command | None:
    """The command of a comment, None for one that has none."""
    first, *rest = _after_quotes(body.replace("\r\n", "\n").split("\n")) or [""]
    if not _is_command(first):
        return None
    if any(_is_command(line) for line in rest):
        return Command(problem="there is more than one command: write a comment for each")
    found = _ORDER.fullmatch(" ".join(first.removeprefix(WORD).split()))
    if found is None:
        return Command(problem=f"that is no command: {USAGE}")
    release, share = (int(n) if n else None for n in (found["release"], found["share"]))
    verb: Literal["approve", "reject"] = "approve" if found["verb"] == "approve" else "reject"
    return Command(verb, found["project"] or "", release, share)


def _after_quotes(lines: list[str]) -> list[str]:
    """The lines after blank ones and quotes; a quote lasts until a blank line."""
    quoted = False
    for number, line in enumerate(lines):
        if not line.strip():
            quoted = False
        elif line[:4].lstrip(" ").startswith(">"):
            quoted = True
        elif not quoted:
            return lines[number:]
    return []


def _is_command(line: str) -> bool:
    return line == WORD or line.startswith((f"{WORD} ", f"{WORD}\t"))

"""The tutorial as steps: what is typed, what is waited for, what is pictured. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"^```sh\n(?P<typed>.*?)^```$"
    r"|^!\[[^\]]*\]\(pictures/(?P<capture>[\w-]+)\.svg\)$"
    r"|^<!-- (?P<order>exits|until|page): (?P<what>.+?) -->$"
    r'|<img [^>]*src="pictures/(?P<shot>[\w-]+)\.png"',
    re.MULTILINE | re.DOTALL,
)
_PAGE = re.compile(
    r"(?P<path>/\S*)(?: width=(?P<width>\d+))?(?: height=(?P<height>\d+))?(?: part=(?P<part>.+))?"
)
_WIDTH = 1100


class TutorialError(Exception):
    """The tutorial is not as it should be, or does not go as it says."""


@dataclass(frozen=True)
class Typed:
    """Command lines, what the last one exits with, and the name of their picture, if any."""

    lines: tuple[str, ...]
    exits: int = 0
    picture: str = ""


@dataclass(frozen=True)
class Until:
    """A wait until a project's newest release is this one, in this phase."""

    project: str
    release: int
    phase: str


@dataclass(frozen=True)
class Shot:
    """A picture of the page at a path, of its upper part or of one element; what it is named."""

    picture: str
    path: str
    width: int = _WIDTH
    height: int = 0
    part: str = ""


Step = Typed | Until | Shot


def steps(text: str) -> list[Step]:
    """All steps of the tutorial, in order.

    Raises:
        TutorialError: an order in a comment is none, or leads to nothing.
    """
    found: list[Step] = []
    exits, page = 0, ""
    for token in _TOKEN.finditer(text):
        if token["typed"] is not None:
            found.append(Typed(tuple(_lines(token["typed"])), exits))
            exits = 0
        elif token["capture"]:
            found.append(_captured(found, token["capture"]))
        elif token["shot"]:
            if not page:
                raise TutorialError(f"{token['shot']}.png: no page is named above it")
            found.append(_shot(token["shot"], page))
            page = ""
        elif token["order"] == "until":
            found.append(_until(token["what"]))
        elif token["order"] == "exits":
            exits = _number(token["what"])
        else:
            page = token["what"]
    return found


def pictures(text: str) -> set[str]:
    """The names of all files in ``pictures/`` that a document shows."""
    return set(re.findall(r"pictures/([\w-]+\.(?:svg|png))", text))


def _lines(block: str) -> Iterator[str]:
    """A block's commands; a line that ends with a backslash goes on in the next."""
    yield from filter(None, re.split(r"(?<!\\)\n", block))


def _captured(found: list[Step], name: str) -> Typed:
    """The commands above a picture, which replace themselves."""
    if not found or not isinstance(found[-1], Typed):
        raise TutorialError(f"{name}.svg: nothing is typed above it")
    typed = found.pop()
    assert isinstance(typed, Typed)
    return Typed(typed.lines, typed.exits, name)


def _number(what: str) -> int:
    if not what.isdecimal():
        raise TutorialError(f"exits: {what}: is no number")
    return int(what)


def _until(what: str) -> Until:
    try:
        project, release, phase = what.split(" ", 2)
        return Until(project, int(release), phase)
    except ValueError as error:
        raise TutorialError(f"until: {what}: is no PROJECT RELEASE PHASE") from error


def _shot(name: str, page: str) -> Shot:
    given = _PAGE.fullmatch(page)
    if not given:
        raise TutorialError(f"page: {page}: is no PATH width=N height=N part=SELECTOR")
    width, height = int(given["width"] or _WIDTH), int(given["height"] or 0)
    return Shot(name, given["path"], width, height, given["part"] or "")

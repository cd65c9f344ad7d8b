"""How far logs have been read, as a short text that whoever reads them hands back. Pure."""

import re
from codecs import getincrementaldecoder
from collections.abc import Mapping, Sequence

from tuneops.names import digest

START = ""
SHAPE = r"([0-9a-f]{12}-[0-9]{1,12}(\.[0-9a-f]{12}-[0-9]{1,12}){0,199})?"
MARK_LINES = 20
MARK = r"([0-9a-f]{12})?"


class BadPositionError(Exception):
    """The text is no position; the message says what to do."""


def decode(text: str) -> dict[str, int]:
    """How many bytes of each file were read, by the file's key.

    Raises:
        BadPositionError: it is none that `encode` has made.
    """
    if not re.fullmatch(SHAPE, text):
        raise BadPositionError("after: is none that an answer had as its next; leave it out")
    parts = (part.split("-") for part in text.split(".") if part)
    return {key: int(count) for key, count in parts}


def encode(read: Mapping[str, int]) -> str:
    """The position as a text."""
    return ".".join(f"{key}-{count}" for key, count in read.items() if count)


def whole_lines(raw: bytes) -> bytes:
    """The complete lines of what was read; empty without one."""
    return raw[: raw.rfind(b"\n") + 1]


def whole_characters(raw: bytes) -> bytes:
    """What was read of UTF-8, without a character that is cut off."""
    decoder = getincrementaldecoder("utf-8")("replace")
    decoder.decode(raw)
    pending, _ = decoder.getstate()
    return raw[: len(raw) - len(pending)]


def after_mark(lines: Sequence[str], mark: str) -> Sequence[str] | None:
    """The lines after those that a mark stands for; None when they are not there any more.

    Raises:
        BadPositionError: the mark is none that `mark_of` has made.
    """
    if not re.fullmatch(MARK, mark):
        raise BadPositionError("after: is none that an answer had as its next; leave it out")
    if not mark:
        return lines
    ends = range(len(lines), 0, -1)
    found = next((end for end in ends if mark_of(lines[:end]) == mark), None)
    return None if found is None else lines[found:]


def mark_of(lines: Sequence[str]) -> str:
    """What stands for the end of a log of which only the end is to be had; empty for none."""
    return digest(list(lines[-MARK_LINES:])) if lines else START

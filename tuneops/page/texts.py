"""Texts of others as the pages show them: without secrets, and with an end. Pure."""

import re
from collections.abc import Mapping

from tuneops.estimate_text import duration
from tuneops.scrub import scrub

MAX_LINE, MAX_TEXT, MAX_NAME = 500, 4000, 120
DAY = 24 * 3600.0
_URL = re.compile(r"https?://[^\s<>\"'`\\]{1,2000}")


def line(text: str, limit: int = MAX_LINE) -> str:
    """A text in one line."""
    return cut(" ".join(text.split()), limit)


def cut(text: str, limit: int = MAX_TEXT) -> str:
    """A text with its lines and spaces as they are."""
    plain = scrub(text)
    return plain if len(plain) <= limit else f"{plain[:limit]}…"


def lasted(seconds: float) -> str:
    """How long something lasted, or lasts."""
    if seconds < 1:
        return "under 1 s"
    return duration(seconds) if seconds < 2 * DAY else f"{seconds / DAY:.0f} days"


def links(given: Mapping[str, str]) -> dict[str, str]:
    """Those of the links that lead to a page of the web, by what they are called."""
    return {line(name, MAX_NAME): url for name, url in given.items() if _URL.fullmatch(url)}

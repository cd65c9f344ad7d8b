"""What a channel says of a message, before any markup: clean, bounded, in the same order. Pure."""

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import urlsplit

from tuneops.message import Message

MAX_TITLE = 200
MAX_TEXT = 3_000
MAX_FACT = 500
MAX_URL = 1_000
MAX_LINKS = 6

_BREAKS = re.compile(r"\r\n?|[\v\f\x85\u2028\u2029]")
_DIRECTIONS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
"""What turns the direction of writing can show a text as what it is not."""


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """The text without what can't be seen, on as many lines as it has, cut to `limit`."""
    text = _DIRECTIONS.sub("", _BREAKS.sub("\n", text)).replace("\t", " ")
    seen = (c for c in text if c == "\n" or unicodedata.category(c) not in ("Cc", "Cs"))
    whole = "".join(seen).strip()
    return whole if len(whole) <= limit else f"{whole[: limit - 1].rstrip()}…"


def one_line(text: str, limit: int = MAX_FACT) -> str:
    """The text on one line."""
    return clean(" ".join(clean(text, len(text) + 1).split()), limit)


def title(message: Message, limit: int = MAX_TITLE) -> str:
    """What happened, in one line, never empty."""
    return one_line(message.title, limit) or "TuneOps"


def facts(message: Message, limit: int = MAX_FACT) -> list[tuple[str, str]]:
    """What there is to say of it besides, each with its label."""
    given = (
        ("Model", message.model),
        ("Why", message.why),
        ("Figure", message.figure),
        ("Next", message.following),
    )
    said = ((label, one_line(text, limit)) for label, text in given)
    return [(label, text) for label, text in said if text]


def links(message: Message) -> list[tuple[str, str]]:
    """The addresses that can be opened, each with its name."""
    return list(_links(message))[:MAX_LINKS]


def _links(message: Message) -> Iterator[tuple[str, str]]:
    for name, url in message.links.items():
        if label := one_line(name, 40):
            shown = label[0].upper() + label[1:]
            if can_be_opened(url):
                yield shown, url


def can_be_opened(url: str) -> bool:
    """Whether it is a plain address of a page."""
    if len(url) > MAX_URL or not url.isascii() or re.search(r"[\s<>\"'\\^`{|}\x00-\x20]", url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)

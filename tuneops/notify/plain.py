"""Texts as a message may hold them: bounded, without markup, secrets or paths of machines. Pure.

What stands in them may come from Azure, from a commit or from a model: a channel that has a markup
of its own quotes it.
"""

import re

from tuneops.message import Message
from tuneops.scrub import scrub

MAX_TITLE = 200
MAX_TEXT = 3_000
MAX_OTHER = 500
MAX_LINKS = 10
MAX_URL = 1_000
CUT = "..."

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""Also what nobody sees, or what turns the direction of the letters around it."""
_FOLDER = re.compile(
    r"(?<![\w/.:~-])(?:[A-Za-z]:\\(?:[^\s\\\"'<>|:]+\\)+"
    r"|/(?:home|root|Users|mnt|tmp|var|opt|usr|srv|private|workspaces?|azureml-envs)/(?:[^\s/\"'<>|:]+/)*)"
)
"""The folders before a file's name, on whatever machine that lies."""


def line(text: str, limit: int = MAX_OTHER) -> str:
    """The text in one line of at most `limit` characters."""
    return text and _cut(" ".join(_cleaned(text).split()), limit)


def lines(text: str, limit: int = MAX_TEXT) -> str:
    """The text with its lines as they are, in at most `limit` characters."""
    kept = (" ".join(each.split()) for each in _cleaned(text).splitlines())
    return _cut("\n".join(kept).strip(), limit)


def fitted(message: Message) -> Message:
    """The message with all its texts as they may be."""
    links = [(line(name), url) for name, url in message.links.items() if len(url) <= MAX_URL]
    return message.replace(
        title=line(message.title, MAX_TITLE),
        text=lines(message.text),
        model=line(message.model),
        why=line(message.why),
        figure=line(message.figure),
        following=line(message.following),
        links=dict(links[:MAX_LINKS]),
    )


def _cleaned(text: str) -> str:
    return _FOLDER.sub("", scrub(_CONTROL.sub(" ", text.replace("\r\n", "\n"))))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - len(CUT)].rstrip() + CUT

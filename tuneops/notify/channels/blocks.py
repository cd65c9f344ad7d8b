"""A message as Slack shows it, in its Block Kit. Pure.

Texts are plain or rich text, in which Slack looks for no markup and no mentions.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tuneops.message import Message, Severity
from tuneops.notify.channels import words

MAX_HEADER = 150
MAX_SECTION = 2_500

_MARKS: Mapping[Severity, str] = {"info": "🔵", "warning": "🟠", "error": "🔴"}
_LIVE = "🟢"
_MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}

Json = dict[str, Any]


def payload(message: Message) -> Json:
    """The message: its blocks, and a text for where they are not shown."""
    return {
        "text": "".join(_MARKUP.get(c, c) for c in words.title(message)),
        "blocks": list(_blocks(message)),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _blocks(message: Message) -> Iterator[Json]:
    mark = _LIVE if message.event == "live" else _MARKS[message.severity]
    header = words.one_line(f"{mark} {words.title(message)}", MAX_HEADER)
    yield {"type": "header", "text": _plain(header)}
    if text := words.clean(message.text, MAX_SECTION):
        yield {"type": "section", "text": _plain(text)}
    if facts := words.facts(message):
        lines = [element for fact in facts for element in _fact(*fact)]
        lines[-1] = {**lines[-1], "text": lines[-1]["text"].rstrip("\n")}
        yield _rich(lines)
    if links := words.links(message):
        yield _rich(
            [element for number, link in enumerate(links) for element in _link(number, *link)]
        )


def _fact(label: str, value: str) -> tuple[Json, Json]:
    return (
        {"type": "text", "text": f"{label}: ", "style": {"bold": True}},
        {"type": "text", "text": f"{value}\n"},
    )


def _link(number: int, name: str, url: str) -> Iterator[Json]:
    if number:
        yield {"type": "text", "text": " · "}
    yield {"type": "link", "url": url, "text": name}


def _rich(elements: list[Json]) -> Json:
    section = {"type": "rich_text_section", "elements": elements}
    return {"type": "rich_text", "elements": [section]}


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text, "emoji": False}

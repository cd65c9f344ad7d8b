"""A message as Teams shows it: an Adaptive Card in the envelope that a workflow takes. Pure.

Texts stand in runs, which have no markup, so that nothing foreign is a link or a heading.
"""

import re
from collections.abc import Mapping
from typing import Any

from tuneops.message import Message, Severity
from tuneops.notify.channels import words

SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
VERSION = "1.4"
MAX_BYTES = 28 * 1024
"""Teams takes no larger messages."""
MAX_TEXT = 2_000
MAX_FACT = 300
MAX_LINES = 40

_STYLES: Mapping[Severity, str] = {"info": "accent", "warning": "warning", "error": "attention"}
_MARKUP = re.compile(r"[\[\]<>*_`]")
"""What Markdown means something by; a client that can't show the card takes its fallback so."""

Json = dict[str, Any]


def envelope(message: Message) -> Json:
    """What is posted to the workflow."""
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card(message),
    }
    return {"type": "message", "attachments": [attachment]}


def card(message: Message) -> Json:
    """The card."""
    title = words.title(message)
    text = words.clean(message.text, MAX_TEXT)
    heading = {
        "type": "Container",
        "style": "good" if message.event == "live" else _STYLES[message.severity],
        "bleed": True,
        "items": [_text(_run(title, weight="Bolder", size="Medium"))],
    }
    said = [_text(_run(line)) for line in text.split("\n")[:MAX_LINES] if line.strip()]
    facts = [
        _text(_run(f"{label}  ", weight="Bolder"), _run(value), spacing="Small")
        for label, value in words.facts(message, MAX_FACT)
    ]
    made: Json = {
        "$schema": SCHEMA,
        "type": "AdaptiveCard",
        "version": VERSION,
        "fallbackText": _MARKUP.sub("", title),
        "body": [heading, *said, *facts],
    }
    actions = [
        {"type": "Action.OpenUrl", "title": name, "url": url} for name, url in words.links(message)
    ]
    return {**made, "actions": actions} if actions else made


def _text(*runs: Json, **more: str) -> Json:
    return {"type": "RichTextBlock", "inlines": list(runs), **more}


def _run(text: str, **look: str) -> Json:
    return {"type": "TextRun", "text": text, **look}

"""The published shapes of what channels are sent, as far as we use them.

From the Adaptive Cards schema 1.4 (adaptivecards.io), Slack's Block Kit reference
(docs.slack.dev/reference/block-kit) and the CloudEvents specification 1.0.
"""

from typing import Any

Json = dict[str, Any]


def _exactly(required: Json, optional: Json | None = None) -> Json:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def _text(limit: int, least: int = 1) -> Json:
    return {"type": "string", "minLength": least, "maxLength": limit}


_ADDRESS = {"type": "string", "format": "uri", "pattern": r"^https?://[^\s<>\"]+$"}
_RUN = _exactly(
    {"type": {"const": "TextRun"}, "text": {"type": "string"}},
    {
        "weight": {"enum": ["Default", "Lighter", "Bolder"]},
        "size": {"enum": ["Default", "Small", "Medium", "Large", "ExtraLarge"]},
    },
)
_RICH_TEXT_BLOCK = _exactly(
    {"type": {"const": "RichTextBlock"}, "inlines": {"type": "array", "items": _RUN}},
    {"spacing": {"enum": ["None", "Small", "Default", "Medium", "Large"]}},
)
_CONTAINER = _exactly(
    {"type": {"const": "Container"}, "items": {"type": "array", "items": _RICH_TEXT_BLOCK}},
    {
        "style": {"enum": ["default", "emphasis", "good", "attention", "warning", "accent"]},
        "bleed": {"type": "boolean"},
    },
)
_OPEN_URL = _exactly({"type": {"const": "Action.OpenUrl"}, "url": _ADDRESS, "title": _text(40)})
ADAPTIVE_CARD = _exactly(
    {
        "type": {"const": "AdaptiveCard"},
        "version": {"const": "1.4"},
        "body": {"type": "array", "items": {"oneOf": [_CONTAINER, _RICH_TEXT_BLOCK]}},
    },
    {
        "$schema": {"const": "http://adaptivecards.io/schemas/adaptive-card.json"},
        "fallbackText": {"type": "string"},
        "actions": {"type": "array", "maxItems": 6, "minItems": 1, "items": _OPEN_URL},
    },
)
TEAMS_MESSAGE = _exactly(
    {
        "type": {"const": "message"},
        "attachments": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": _exactly(
                {
                    "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
                    "contentUrl": {"type": "null"},
                    "content": ADAPTIVE_CARD,
                }
            ),
        },
    }
)


def _plain(limit: int) -> Json:
    return _exactly({"type": {"const": "plain_text"}, "text": _text(limit)}, {"emoji": {}})


_RICH_TEXT = {
    "oneOf": [
        _exactly(
            {"type": {"const": "text"}, "text": _text(3000)},
            {"style": _exactly({}, {"bold": {"type": "boolean"}})},
        ),
        _exactly({"type": {"const": "link"}, "url": _ADDRESS}, {"text": _text(3000)}),
    ]
}
_BLOCK = {
    "oneOf": [
        _exactly({"type": {"const": "header"}, "text": _plain(150)}),
        _exactly({"type": {"const": "section"}, "text": _plain(3000)}),
        _exactly(
            {
                "type": {"const": "rich_text"},
                "elements": {
                    "type": "array",
                    "items": _exactly(
                        {
                            "type": {"const": "rich_text_section"},
                            "elements": {"type": "array", "minItems": 1, "items": _RICH_TEXT},
                        }
                    ),
                },
            }
        ),
    ]
}
SLACK_MESSAGE = _exactly(
    {
        "text": {"type": "string", "maxLength": 4000, "pattern": "^[^<>]+$"},
        "blocks": {"type": "array", "minItems": 1, "maxItems": 50, "items": _BLOCK},
    },
    {
        "mrkdwn": {"type": "boolean"},
        "unfurl_links": {"type": "boolean"},
        "unfurl_media": {"type": "boolean"},
        "channel": _text(80),
        "thread_ts": {"type": "string", "pattern": r"^\d+\.\d+$"},
        "reply_broadcast": {"type": "boolean"},
    },
)
CLOUD_EVENT = {
    "type": "object",
    "required": ["id", "source", "specversion", "type"],
    "properties": {
        "id": _text(1000),
        "source": {**_text(1000), "format": "uri-reference"},
        "specversion": {"const": "1.0"},
        "type": _text(1000),
        "datacontenttype": {"const": "application/json"},
        "subject": _text(1000),
        "time": {"type": "string", "format": "date-time"},
        "data": {"type": "object"},
    },
    "propertyNames": {"pattern": "^[a-z0-9]+$"},
}

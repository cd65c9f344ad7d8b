"""What a queue message, or a release, carries of the trace that it belongs to. Pure.

The queue is foreign: what can't be read is as if it were not there, so no message fails for it, and
those that an earlier version has sent have none of it.
"""

import re
from datetime import datetime

from pydantic import ValidationError, field_validator

from tuneops.document import Document

MAX_TRACESTATE = 512

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_TRACESTATE = re.compile(r"[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x7e]*")
"""See https://www.w3.org/TR/trace-context/."""


class Carrier(Document):
    """A place in a trace, as W3C writes it; empty when there is none."""

    traceparent: str = ""
    tracestate: str = ""

    @field_validator("traceparent", mode="before")
    @classmethod
    def _parent(cls, given: object) -> str:
        return given if isinstance(given, str) and _TRACEPARENT.fullmatch(given) else ""

    @field_validator("tracestate", mode="before")
    @classmethod
    def _state(cls, given: object) -> str:
        if not isinstance(given, str) or len(given) > MAX_TRACESTATE:
            return ""
        return given if _TRACESTATE.fullmatch(given) else ""

    @property
    def headers(self) -> dict[str, str]:
        """What there is of it, by W3C's names."""
        if not self.traceparent:
            return {}
        state = {"tracestate": self.tracestate} if self.tracestate else {}
        return {"traceparent": self.traceparent, **state}


class Carried(Carrier):
    """What stands in a message beside its request; `since` is when what it is about happened."""

    since: datetime | None = None

    @field_validator("since", mode="before")
    @classmethod
    def _moment(cls, given: object) -> datetime | None:
        if not isinstance(given, str) or len(given) > 40:
            return None
        try:
            moment = datetime.fromisoformat(given)
        except ValueError:
            return None
        return moment if moment.tzinfo else None


def read(body: bytes) -> Carried:
    """What a message carries."""
    try:
        return Carried.model_validate_json(body)
    except ValidationError:
        return Carried()

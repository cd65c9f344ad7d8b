"""Several messages as one. Pure."""

from collections.abc import Sequence
from datetime import datetime

from tuneops.message import SEVERITIES, Message
from tuneops.names import digest as digest_of

MAX_LINES = 20


def digest(messages: Sequence[Message], at: datetime) -> Message:
    """One message that tells of all of these."""
    lines = [f"{each.title}: {each.text}" for each in messages[-MAX_LINES:]]
    more = len(messages) - len(lines)
    return Message(
        key=f"digest:{digest_of([each.key for each in messages])}",
        event="digest",
        title=f"{len(messages)} messages",
        text="\n".join([*([f"{more} earlier ones"] if more else []), *lines]),
        at=at,
        severity=max((each.severity for each in messages), key=SEVERITIES.index),
    )

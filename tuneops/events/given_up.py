"""Events whose messages were given up: what they were about the timer sees to, and so it is said.

The Functions host puts a message whose handling has failed five times on a queue of its own, where
it stays for people.
"""

import base64
import json
import logging
from itertools import islice
from typing import TYPE_CHECKING, Annotated

from azure.core.exceptions import AzureError
from pydantic import Field, TypeAdapter, ValidationError

from tuneops.events.effect import Led
from tuneops.events.taking import Asked, tell, written
from tuneops.services import Services, open_queue
from tuneops.telemetry.poison import SOON, SUFFIX

if TYPE_CHECKING:
    from azure.storage.queue import QueueMessage

PAGE = 32
MAX_MESSAGES = 3 * PAGE
"""So many in one tick; those that were looked at go behind the others."""
HIDDEN_SECONDS = 30
SETTLED = "settled"
"""In place of `event` and its record: its fate is written down."""
_MISSING = "QueueNotFound"
LED = Led("merged", "handling it failed five times; the timer sees to what it was about")

_ASKED: TypeAdapter[Asked] = TypeAdapter(Annotated[Asked, Field(discriminator="kind")])

log = logging.getLogger(__name__)


def settle(services: Services) -> None:
    """Write down what becomes of those events, once for each; the timer does not fail for it."""
    queue = f"{services.settings.reconcile_queue}{SUFFIX}"
    client = open_queue(services.settings, queue, **SOON)
    try:
        found = client.receive_messages(messages_per_page=PAGE, visibility_timeout=HIDDEN_SECONDS)
        for message in islice(found, MAX_MESSAGES):
            body = _body(message)
            if request := _of_event(body):
                tell(written(request, services), LED, services)
                client.update_message(
                    message, content=_settled(body), visibility_timeout=HIDDEN_SECONDS
                )
    except AzureError as error:
        if getattr(error, "error_code", "") != _MISSING:
            log.warning("events whose messages were given up are looked for later: %s", error)


def _body(message: "QueueMessage") -> bytes:
    """What a message says; nothing where that can't be read."""
    try:
        return base64.b64decode(message.content, validate=True)
    except ValueError:
        return b""


def _of_event(body: bytes) -> Asked | None:
    """The request, if it is one of an event whose fate is not written down yet."""
    try:
        request = _ASKED.validate_json(body)
    except ValidationError:
        return None
    return request if request.event else None


def _settled(body: bytes) -> str:
    """The message for people to see: who puts it on the queue again asks for a look, no more."""
    said = json.loads(body)
    kept = {key: value for key, value in said.items() if key not in ("event", "unwritten")}
    return base64.b64encode(json.dumps({**kept, SETTLED: said["event"]}).encode()).decode()

"""Area `queues`: the queue of all work, and what was given up."""

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage
from pydantic import BaseModel, ValidationError

from tuneops.doctor.errors import code_of
from tuneops.doctor.finding import Finding
from tuneops.doctor.judging import queues as judging
from tuneops.doctor.judging.queues import Waiting
from tuneops.doctor.patient import SOON, Patient
from tuneops.queue import ProjectsRequest
from tuneops.services import open_queue

MAX_PEEKED = 32
HIDDEN_SECONDS = 60
KEPT_SECONDS = 120
AT_ONCE = frozenset({"projects", "pull_requests"})
"""What the timer asks for, and never with a delay."""
_FORBIDDEN = (401, 403)


class _Asked(BaseModel):
    kind: str = ""
    project: str = ""
    environment: str = ""


def look(patient: Patient) -> Iterator[Finding]:
    """All queues that functions wait at."""
    settings = patient.services.settings
    for name in (settings.reconcile_queue, settings.deliver_queue):
        yield from _look(patient, name)


def _look(patient: Patient, name: str) -> Iterator[Finding]:
    """A queue, its place for what was given up, and what lies on it."""
    account = patient.account
    queue = open_queue(patient.services.settings, name, **SOON)
    try:
        queue.get_queue_properties()
    except ResourceNotFoundError:
        yield judging.judge_exists(False, name, account)
        yield from judging.skipped_all(name, account)
    except HttpResponseError as error:
        if error.status_code not in _FORBIDDEN:
            raise
        yield judging.judge_hidden(name, account)
        return
    else:
        yield judging.judge_exists(True, name, account)
        yield judging.judge_send(_send_error(queue), name, account)
        now = patient.now
        waiting = [_waiting(each, now) for each in queue.peek_messages(max_messages=MAX_PEEKED)]
        yield judging.judge_consumed(waiting, now, name, account, patient.site)
    yield _poison(patient, name)


def _send_error(queue: QueueClient) -> str:
    """Why no message can be sent, empty if one can.

    It is taken back before anybody sees it; should that fail, the projects are looked at once more.
    """
    text = base64.b64encode(ProjectsRequest().model_dump_json().encode()).decode()
    try:
        sent = queue.send_message(
            text, visibility_timeout=HIDDEN_SECONDS, time_to_live=KEPT_SECONDS
        )
        queue.delete_message(sent)
    except AzureError as error:
        return code_of(error)
    return ""


def _poison(patient: Patient, name: str) -> Finding:
    poison = open_queue(patient.services.settings, f"{name}-poison", **SOON)
    count, named = 0, []
    try:
        count = poison.get_queue_properties().approximate_message_count or 0
        if count:
            peeked = poison.peek_messages(max_messages=judging.MAX_NAMED)
            named = [_waiting(each, patient.now).what for each in peeked]
    except ResourceNotFoundError:
        count = 0
    return judging.judge_poison(count, named, name, patient.account)


def _waiting(message: QueueMessage, now: datetime) -> Waiting:
    """What a message asks for; one that can't be read asks for nothing that is known."""
    try:
        asked = _Asked.model_validate_json(base64.b64decode(message.content, validate=True))
    except (ValidationError, binascii.Error, ValueError):
        asked = _Asked()
    about = asked.project or asked.environment
    what = " ".join(filter(None, (asked.kind[:40] or "unreadable", about[:100])))
    return Waiting(what, message.inserted_on or now, asked.kind in AT_ONCE)

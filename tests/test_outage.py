"""GitHub is away: nothing is given up, nothing piles up, and people are told once."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.storage.queue import QueueClient
from pydantic import SecretStr

from handlers import reconcile
from tuneops import documents, putting_off
from tuneops.events.reading import Asked, read_events
from tuneops.events.record import arrival
from tuneops.gitops.outage import TOLD_AFTER, Outage, lasting, news
from tuneops.gitops.repository import Repository
from tuneops.message import Message
from tuneops.notify.post import read_mailboxes
from tuneops.overview.reading import read_frame
from tuneops.putting_off import MAX_TRIES, pause
from tuneops.queue import (
    CommentRequest,
    PullRequestRequest,
    PullRequestsRequest,
    RepositoryRequest,
    Request,
)
from tuneops.services import Services
from tuneops.status import read_status

CAME = arrival("d-1", datetime.now(UTC), "github", "push", "r main", "taken", "it is being read")


@pytest.fixture
def away(services: Services) -> Services:
    """GitHub's address is one where nobody listens."""
    nowhere = {"github_api_url": "http://127.0.0.1:9"}
    return Services(services.settings.model_copy(update=nowhere))


def waiting(services: Services) -> list[dict[str, Any]]:
    """What is on the queue, which is empty afterwards."""
    settings = services.settings
    assert settings.storage_connection_string is not None
    secret = settings.storage_connection_string.get_secret_value()
    queue = QueueClient.from_connection_string(secret, settings.reconcile_queue)
    found = [json.loads(base64.b64decode(each.content)) for each in queue.receive_messages()]
    queue.clear_messages()
    return found


def do(request: Request, services: Services) -> None:
    """As the queue has it done."""
    reconcile.handle(request.model_dump_json().encode(), services)


def test_people_are_told_once_that_it_lasts() -> None:
    now = CAME.at
    outage: Outage | None = None
    told: list[Message] = []
    for minutes in range(0, 60, 2):
        at = now + timedelta(minutes=minutes)
        before, outage = outage, lasting(outage, f"ConnectError {minutes}", at)
        told += news(before, outage, "eu", "contoso/models", at)
    (message,) = told
    assert (message.at, message.title) == (now + TOLD_AFTER, "contoso/models can't be read")
    assert message.text.endswith("UTC: ConnectError 4")
    assert isinstance(outage, Outage)
    assert outage.error == "ConnectError 58"


@pytest.mark.parametrize(
    "request_",
    [
        RepositoryRequest(event=CAME.ticket),
        PullRequestRequest(number=1, event=CAME.ticket),
        CommentRequest(number=1, comment=1, event=CAME.ticket),
    ],
)
def test_what_an_event_asks_for_comes_again_until_its_fate_is_known(
    away: Services, monkeypatch: pytest.MonkeyPatch, request_: RepositoryRequest
) -> None:
    monkeypatch.setattr(putting_off, "FIRST_SECONDS", 0)
    away.ledger.arrived(CAME)
    away.queue.send(request_.model_copy(update={"tries": MAX_TRIES - 1}))
    for known in (MAX_TRIES - 1, MAX_TRIES):
        (asked,) = waiting(away)
        assert (asked["kind"], asked["tries"]) == (request_.kind, known)
        do(type(request_).model_validate(asked), away)
    assert waiting(away) == []
    (found,) = read_events(away.state, Asked(day=CAME.at.date())).events
    assert (found.fate, len(found.outcomes)) == ("merged", 1)
    assert "GitHub could not be asked, and the timer looks again: Connect" in found.outcomes[0].why


def test_it_waits_longer_each_time_and_not_for_ever() -> None:
    pauses = [pause(tries) for tries in range(MAX_TRIES)]
    assert pauses[:6] == [15, 30, 60, 120, 240, 300]
    assert pauses == sorted(pauses)
    assert 3600 < sum(pauses) < 3 * 3600


def test_what_the_timer_asks_for_is_left_to_its_next_tick(away: Services) -> None:
    do(PullRequestsRequest(), away)
    do(RepositoryRequest(), away)
    assert waiting(away) == []
    (said,) = read_status(away).config_errors
    assert said.startswith(f"{away.settings.github_repository}: it can't be read since ")
    frame = read_frame(away.store)
    assert frame is not None
    assert frame.value.sources[""].errors[0] == said[: len(frame.value.sources[""].errors[0])]


def test_an_outage_that_lasts_is_told_once(away: Services) -> None:
    """Be it that the tick that tells is cut short before it notes so."""
    url = SecretStr("json://127.0.0.1:9")
    heard = Services(away.settings.model_copy(update={"notify_urls": (url,)}))
    do(RepositoryRequest(), heard)
    first = read(heard)
    assert first.outage is not None
    since = first.outage.since - TOLD_AFTER
    lasts = first.replace(outage=first.outage.replace(since=since))
    for _ in range(2):
        heard.store.update(documents.repository(""), Repository, lambda _: lasts)
        do(RepositoryRequest(), heard)
    do(RepositoryRequest(), heard)
    (box,) = read_mailboxes(heard.store, "_repository").values()
    assert [each.message.title for each in box.owed] == ["contoso/models can't be read"]


def read(services: Services) -> Repository:
    """What is remembered of the repository."""
    stored = services.store.read(documents.repository(""), Repository)
    assert stored is not None
    return stored.value

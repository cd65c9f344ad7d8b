"""What is known afterwards of every event that came in."""

import base64
import hashlib
import hmac
import json
import re
import time
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError
from azure.core.pipeline import PipelineRequest
from azure.storage.blob import ContainerClient
from azure.storage.queue import QueueClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from handlers import config_merged, dataset_uploaded, events, job_event, reconcile, resync, summary
from tests.config_text import config_of
from tuneops import documents
from tuneops.cli.events import render
from tuneops.desired import Desired
from tuneops.events import given_up, ledger
from tuneops.events.effect import Led, led, read_led
from tuneops.events.ledger import SHARDS, Ledger
from tuneops.events.reading import KEPT_DAYS, Asked, Events, forget, read_events
from tuneops.events.record import Arrival, Event, Verdict, arrival, fold, outcome, text_of
from tuneops.events.taking import written
from tuneops.gitops.repository import FileState, Repository
from tuneops.phase import Phase
from tuneops.queue import ProjectRequest
from tuneops.reconcile import reconcile_project
from tuneops.services import Services

NOW = datetime(2026, 11, 26, 18, 30, tzinfo=UTC)
CREATED = "Microsoft.Storage.BlobCreated"


def came(identifier: str = "1", verdict: Verdict = "taken", **changes: Any) -> Arrival:
    """An event of storage."""
    made = arrival(identifier, NOW, "storage", CREATED, "bot/a.jsonl", verdict, "why", ["bot"])
    return made.replace(**changes)


def today(services: Services, **asked: Any) -> list[Event]:
    """The events of today that are asked for."""
    return read_events(services.state, Asked(day=datetime.now(UTC).date(), **asked)).events


def queue(services: Services, suffix: str = "") -> QueueClient:
    """The queue of requests, or of those that were given up."""
    settings = services.settings
    assert settings.storage_connection_string is not None
    secret = settings.storage_connection_string.get_secret_value()
    return QueueClient.from_connection_string(secret, f"{settings.reconcile_queue}{suffix}")


def next_request(services: Services) -> bytes:
    """The next message on the queue, which is gone then."""
    client = queue(services)
    message = next(iter(client.receive_messages()))
    client.delete_message(message)
    return base64.b64decode(message.content)


def decoded(text: str) -> bytes:
    """A message's body; nothing where that is no base64."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def push(services: Services, secret: str = "", **headers: str) -> tuple[HTTPStatus, str]:
    """A push, as GitHub tells of it."""
    known = services.settings.github_webhook_secret.get_secret_value()
    repository = {"full_name": services.settings.github_repository}
    told = {"ref": "refs/heads/main", "after": "0123456789abcdef", "repository": repository}
    body = json.dumps(told).encode()
    signature = hmac.new((secret or known).encode(), body, hashlib.sha256).hexdigest()
    sent = {
        "content-type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": "d-1",
        "X-Hub-Signature-256": f"sha256={signature}",
    }
    return config_merged.handle(sent | headers, body, services)


@pytest.mark.parametrize(
    ("verdict", "effects", "fate"),
    [
        ("taken", [], "waiting"),
        ("taken", ["merged"], "merged"),
        ("taken", ["merged", "acted", "ignored"], "acted"),
        ("taken", ["ignored", "refused"], "refused"),
        ("ignored", [], "ignored"),
        ("refused", [], "refused"),
    ],
)
def test_the_fate_is_the_most_that_came_of_it(
    verdict: Verdict, effects: list[Any], fate: str
) -> None:
    first = came(verdict=verdict)
    led_to = [outcome(first.ticket, NOW, "bot", effect, "so") for effect in effects]
    (found,) = fold(map(text_of, (first, *led_to)))
    assert found.fate == fate


@pytest.mark.parametrize(
    ("before", "after", "steps", "effect", "why"),
    [
        (None, None, 0, "merged", "there is no release yet, and nothing to begin one with"),
        (None, (1, Phase.TRAINING), 3, "acted", "release 1 began, and is Training now"),
        ((1, Phase.LIVE), (2, Phase.PREPARING), 2, "acted", "release 2 began, and is Prep"),
        ((2, Phase.TRAINING), (2, Phase.DEPLOYING), 5, "acted", "release 2 came from Training to"),
        ((2, Phase.DEPLOYING), (2, Phase.DEPLOYING), 1, "acted", "release 2 is Deploying, and was"),
        ((2, Phase.LIVE), (2, Phase.LIVE), 0, "merged", "release 2 is Live, and nothing had to"),
    ],
)
def test_what_a_look_has_led_to(before: Any, after: Any, steps: int, effect: str, why: str) -> None:
    found = led(before, after, steps)
    assert (found.effect, found.release) == (effect, after[0] if after else None)
    assert found.why.startswith(why)


def test_what_reading_a_repository_has_led_to() -> None:
    assert read_led("0123456789abcd", [], policy=False).effect == "merged"
    assert read_led("c", [], policy=False, again=True).effect == "acted"
    assert read_led("c", ["bot"], policy=True).why == "commit c changes bot, the policy"
    many = read_led("c", [f"p{number}" for number in range(99)], policy=False)
    assert many.why.endswith("p9, ...")


texts = st.text(max_size=400)


@given(texts, texts, texts, texts, st.lists(texts, max_size=60))
def test_no_foreign_text_breaks_a_line(
    identifier: str, kind: str, subject: str, why: str, projects: list[str]
) -> None:
    made = arrival(identifier, NOW, "github", kind, subject, "taken", why, projects)
    led_to = outcome(made.ticket, NOW, subject, "acted", why)
    lines = text_of(made) + text_of(led_to)
    assert lines.count(b"\n") == 2
    (found,) = fold(lines.splitlines())
    assert (found.arrival, found.outcomes) == (made, (led_to,))


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_a_line_that_is_none_is_left_out(lines: list[bytes]) -> None:
    (found,) = fold([*lines, text_of(came()), *lines])
    assert found.arrival == came()


def test_deliveries_are_counted_and_a_line_written_twice_is_one() -> None:
    late = came(at=NOW + timedelta(seconds=1))
    (found,) = fold(map(text_of, (came(), came(), late)))
    assert found.deliveries == 2
    refused = came(verdict="refused", at=NOW - timedelta(seconds=1))
    (found,) = fold(map(text_of, (refused, came())))
    assert found.arrival.verdict == "taken"


def test_an_upload_is_followed_to_what_it_led_to(services: Services) -> None:
    read = Repository(
        files={"finetune/bot.yaml": FileState(sha="s", project="bot", data_path="chats/")}
    )
    services.store.write(documents.repository(""), read, etag=None)
    subject = f"/blobServices/default/containers/{services.settings.datasets_container}/blobs/"
    dataset_uploaded.handle("e-1", CREATED, f"{subject}chats/a.jsonl", {"api": "PutBlob"}, services)
    dataset_uploaded.handle("e-2", CREATED, f"{subject}other/a.jsonl", {"api": "PutBlob"}, services)
    job_event.handle("e-3", "Microsoft.MachineLearningServices.RunCompleted", {}, services)
    assert {each.arrival.id: each.fate for each in today(services)} == {
        "e-2": "ignored",
        "e-3": "ignored",
    }
    reconcile.handle(next_request(services), services)
    (found,) = today(services, project="bot")
    assert (found.fate, found.outcomes[0].why) == ("ignored", "no config was ever seen for it")
    assert [each.arrival.id for each in today(services, fate="ignored", limit=2)] == ["e-3", "e-2"]
    assert [each.arrival.id for each in today(services, source="workspace")] == ["e-3"]
    assert [each.arrival.id for each in today(services, id="e-2")] == ["e-2"]


def test_a_forged_delivery_is_written_down_and_changes_nothing(services: Services) -> None:
    status, _ = push(services, "not the secret", **{"X-GitHub-Delivery": "x\r\n\x1b[2J" * 99})
    assert status == HTTPStatus.UNAUTHORIZED
    (found,) = today(services)
    assert (found.fate, found.arrival.why) == ("refused", "the signature does not match")
    assert found.arrival.id.isprintable()
    assert len(found.arrival.id) <= 100
    assert list(services.store.paths("")) == [
        f"events/{found.arrival.at:%Y-%m-%d}/{found.arrival.at:%H}-refused.jsonl"
    ]


def test_a_push_carries_its_ticket_to_the_repository(services: Services) -> None:
    assert push(services)[0] == HTTPStatus.ACCEPTED
    request = json.loads(next_request(services))
    record = Arrival.model_validate(request["unwritten"])
    assert record.subject.endswith("refs/heads/main 0123456789ab")
    assert request["event"] == record.ticket


def test_what_can_not_be_looked_at_yet_is_waiting(services: Services) -> None:
    """GitHub does not answer, so that the repository is read later."""
    nowhere = {"github_api_url": "http://127.0.0.1:9"}
    push(services)
    reconcile.handle(next_request(services), Services(services.settings.model_copy(update=nowhere)))
    (found,) = today(services)
    assert (found.fate, found.deliveries) == ("waiting", 1)
    assert found.arrival.subject.endswith("refs/heads/main 0123456789ab")


def test_whose_message_was_given_up_is_known_from_the_timer(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody has written the event down: whoever would have was killed each time."""
    given_up.settle(services)
    assert "given up" not in caplog.text
    monkeypatch.setattr(given_up, "HIDDEN_SECONDS", 1)
    monkeypatch.setattr(given_up, "MAX_MESSAGES", 3)
    push(services)
    request = next_request(services)
    aside = queue(services, "-poison")
    aside.create_queue()
    for body in (b"[" * 9000, request, b'{"kind": "later"}'):
        aside.send_message(base64.b64encode(body).decode())
    aside.send_message("no base64: \u00e9")
    for _ in range(3):
        resync.handle(services)
        (found,) = today(services)
        assert (found.fate, len(found.outcomes)) == ("merged", 1)
        assert (found.outcomes[0].about, found.outcomes[0].effect) == ("repository", "merged")
        time.sleep(1.5)
    kept = aside.get_queue_properties().approximate_message_count
    assert kept == 4
    texts = [message.content for message in aside.peek_messages(max_messages=4)]
    (seen,) = (json.loads(text) for text in map(decoded, texts) if b"repository" in text)
    assert seen["settled"] == found.arrival.ticket
    again = json.dumps(seen).encode()
    reconcile.handle(again, services)
    assert [each.outcomes for each in today(services)] == [found.outcomes]


def test_a_push_to_no_source_of_today_is_ignored(services: Services) -> None:
    push(services)
    request = json.loads(next_request(services)) | {"environment": "gone"}
    reconcile.handle(json.dumps(request).encode(), services)
    (found,) = today(services)
    assert (found.fate, found.outcomes[0].about) == ("ignored", "gone repository")


def test_a_full_blob_goes_on_in_the_next(services: Services, storage: str) -> None:
    """Azurite lets a blob have any number of lines, so Azure's documented answer is given here."""
    services.ledger.arrived(came())

    def answer(request: PipelineRequest[Any]) -> None:
        if "appendblock" in request.http_request.url and "~" not in request.http_request.url:
            error = HttpResponseError("full")
            error.error_code = "BlockCountExceedsLimit"  # type: ignore[attr-defined]
            raise error

    container = services.settings.state_container
    client = ContainerClient.from_connection_string(
        storage, container, raw_request_hook=answer, retry_total=0
    )
    full = Ledger(client)
    full.led_to(came().ticket, outcome(came().ticket, NOW, "bot", "acted", "so"))
    full.arrived(came("2", "refused"))
    (found,) = read_events(services.state, Asked(day=NOW.date())).events
    assert found.fate == "acted"


def test_shards_hold_all_and_the_newest_come_first(services: Services) -> None:
    for number in range(12):
        at = NOW + timedelta(minutes=10 * number)
        services.ledger.arrived(came(f"e-{number}", at=at))
    names = {path.partition("-3.")[0] for path in services.store.paths(documents.EVENTS)}
    assert len(names) > SHARDS
    found = read_events(services.state, Asked(day=NOW.date(), limit=5))
    assert [each.arrival.id for each in found.events] == [f"e-{11 - place}" for place in range(5)]
    assert found.more


def test_old_days_are_forgotten(services: Services) -> None:
    for days in (0, KEPT_DAYS, KEPT_DAYS + 1, 400):
        services.ledger.arrived(came(at=datetime.now(UTC) - timedelta(days=days)))
    summary.handle(services)
    kept = {path.split("/")[1] for path in services.store.paths(documents.EVENTS)}
    first = datetime.now(UTC).date()
    assert kept == {str(first), str(first - timedelta(days=KEPT_DAYS))}
    assert forget(services.state, date(2100, 1, 1)) == 2


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({"day": "soon"}, "day: "),
        ({"fate": "kind"}, "fate: "),
        ({"project": "../x"}, "project: "),
        ({"limit": "0"}, "limit: "),
        ({"other": "1"}, "other: "),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_wrong(
    services: Services, params: dict[str, str], complaint: str
) -> None:
    status, text = events.handle(params, services)
    assert status == HTTPStatus.BAD_REQUEST
    assert json.loads(text)["text"].startswith(complaint)


def test_people_see_them_as_a_table(services: Services) -> None:
    wanted = Desired(project="bot", commit="c", path="p", config=config_of("bot"))
    services.store.write(documents.desired("bot"), wanted, etag=None)
    job_event.handle(
        "e-1",
        "Microsoft.MachineLearningServices.RunCompleted",
        {"runId": "bot-0123456789ab"},
        services,
    )
    written(ProjectRequest.model_validate_json(next_request(services)), services)
    status, text = events.handle({"project": "bot"}, services)
    assert status == HTTPStatus.OK
    read = Events.model_validate_json(text)
    rows = [list(column.cells) for column in render(read.events).columns]
    assert [str(cells[0]) for cells in rows[1:]] == [
        "RunCompleted bot-0123456789ab",
        "waiting",
        "it is a job of bot",
    ]


def test_lines_of_a_later_version_are_read() -> None:
    later = json.loads(text_of(came())) | {"colour": "blue"}
    (found,) = fold([json.dumps(later).encode()])
    assert found.arrival == came()


@pytest.fixture
def dead(services: Services, storage: str) -> Ledger:
    """A ledger in which nothing can be written."""

    def fail(_: PipelineRequest[Any]) -> None:
        raise ServiceRequestError("no blob can be written")

    container = services.settings.state_container
    return Ledger(
        ContainerClient.from_connection_string(
            storage, container, raw_request_hook=fail, retry_total=0
        )
    )


def test_what_can_not_be_written_down_is_done_all_the_same(
    services: Services, monkeypatch: pytest.MonkeyPatch, dead: Ledger
) -> None:
    with monkeypatch.context() as away:
        away.setitem(vars(services), "ledger", dead)
        assert push(services)[0] == HTTPStatus.ACCEPTED
        assert push(services, "not the secret")[0] == HTTPStatus.UNAUTHORIZED
        with pytest.raises(ServiceRequestError):
            push(services, **{"X-GitHub-Event": "watch"})
        request = json.loads(next_request(services)) | {"environment": "gone"}
        with pytest.raises(ServiceRequestError):
            reconcile.handle(json.dumps(request).encode(), services)
    assert today(services) == []
    for _ in range(2):
        reconcile.handle(json.dumps(request).encode(), services)
    (found,) = today(services)
    assert (found.fate, found.deliveries) == ("ignored", 1)
    assert found.arrival.subject.endswith("refs/heads/main 0123456789ab")


def test_nobody_waits_for_blobs_that_do_not_answer(services: Services, storage: str) -> None:
    blobs = re.sub(r"BlobEndpoint=http://[^/]+", "BlobEndpoint=http://127.0.0.1:9", storage)
    changed = {"storage_connection_string": SecretStr(blobs)}
    dead = Services(services.settings.model_copy(update=changed))
    begun = time.monotonic()
    assert push(dead)[0] == HTTPStatus.ACCEPTED
    assert push(dead, "not the secret")[0] == HTTPStatus.UNAUTHORIZED
    for kind in job_event.TYPES:
        with pytest.raises(ServiceRequestError):
            job_event.handle("e", kind, {"runId": "bot-0123456789ab"}, dead)
    assert time.monotonic() - begun < 4
    assert json.loads(next_request(services))["unwritten"]["verdict"] == "taken"


def without_queues(services: Services, storage: str) -> Services:
    """The same, with a queue service that is not there."""
    queues = re.sub(r"QueueEndpoint=http://[^/]+", "QueueEndpoint=http://127.0.0.1:9", storage)
    changed = {"storage_connection_string": SecretStr(queues)}
    return Services(services.settings.model_copy(update=changed))


def test_what_was_given_up_is_looked_for_later_while_there_are_no_queues(
    services: Services, storage: str, caplog: pytest.LogCaptureFixture
) -> None:
    given_up.settle(without_queues(services, storage))
    assert "given up are looked for later" in caplog.text


def test_what_can_not_be_queued_is_written_down_and_its_sender_told(
    services: Services, storage: str
) -> None:
    begun = time.monotonic()
    with pytest.raises(ServiceRequestError):
        push(without_queues(services, storage))
    assert time.monotonic() - begun < 4
    (found,) = today(services)
    assert (found.fate, found.arrival.verdict) == ("waiting", "taken")


def test_of_what_was_refused_little_is_kept(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "MAX_REFUSED_BYTES", 1000)
    for _ in range(9):
        assert push(services, "not the secret")[0] == HTTPStatus.UNAUTHORIZED
    (path,) = services.store.paths(documents.EVENTS)
    assert services.state.get_blob_client(path).get_blob_properties().size <= 1000


def test_a_key_in_the_address_is_no_question(services: Services) -> None:
    assert events.handle({"code": "a key", "limit": "3"}, services)[0] == HTTPStatus.OK


def test_a_look_that_comes_again_says_what_the_one_that_was_cut_short_has_done(
    services: Services, monkeypatch: pytest.MonkeyPatch, dead: Ledger
) -> None:
    wanted = Desired(project="bot", commit="c", path="p", config=config_of("bot"))
    services.store.write(documents.desired("bot"), wanted, etag=None)
    data = services.blobs.get_container_client(services.settings.datasets_container)
    data.upload_blob("bot/a.jsonl", b"no JSON\n")
    services.ledger.arrived(came())
    request = ProjectRequest(project="bot", event=came().ticket)
    body = request.model_dump_json().encode()
    with monkeypatch.context() as cut:
        cut.setitem(vars(services), "ledger", dead)
        with pytest.raises(ServiceRequestError):
            reconcile.handle(body, services)
    reconcile.handle(body, services)
    (found,) = read_events(services.state, Asked(day=NOW.date())).events
    assert (found.fate, found.outcomes[0].release) == ("acted", 1)
    assert found.outcomes[0].why == "release 1 is Failed; a look cut short worked on it"
    other = request.model_copy(update={"event": came("2").ticket})
    assert reconcile_project(other, services) == Led(
        "merged", "release 1 is Failed, and nothing had to be done", 1
    )

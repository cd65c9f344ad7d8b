"""Posts to Event Grid's webhook by others, and hostile ones with its key."""

import json
import logging
from typing import Any

import pytest

from tests.attacks.site import EVENT_GRID_KEY, KEY, Site, asked_for, unchanged
from tuneops.events.record import Arrival

COMPLETED = "Microsoft.MachineLearningServices.RunCompleted"
JOB = {
    "id": "e-1",
    "eventType": COMPLETED,
    "subject": "experiments/bot/runs/bot-0123456789ab",
    "eventTime": "2026-11-26T18:30:00Z",
    "dataVersion": "1",
    "topic": "/subscriptions/s",
    "data": {"runId": "bot-0123456789ab"},
}
HANDSHAKE = {
    **JOB,
    "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
    "data": {"validationCode": "code"},
}
VALIDATION = {"aeg-event-type": "SubscriptionValidation"}


@pytest.fixture(autouse=True)
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The host's log."""
    caplog.set_level(logging.INFO)
    return caplog


@pytest.mark.parametrize(
    "key",
    [
        pytest.param({}, id="no-key"),
        pytest.param({"code": ""}, id="empty"),
        pytest.param({"code": "guess"}, id="guessed"),
        pytest.param({"code": KEY}, id="the-function-key"),
        pytest.param({"key": EVENT_GRID_KEY}, id="in-another-parameter"),
        pytest.param({"code": f"{EVENT_GRID_KEY}\u00e9"}, id="longer"),
    ],
)
@pytest.mark.parametrize(
    ("method", "event", "headers"),
    [
        pytest.param("POST", JOB, {}, id="event"),
        pytest.param("POST", HANDSHAKE, VALIDATION, id="handshake"),
        pytest.param("OPTIONS", JOB, {"webhook-request-origin": "evil.example"}, id="origin"),
    ],
)
def test_a_post_without_the_key_is_refused(
    site: Site,
    lines: pytest.LogCaptureFixture,
    key: dict[str, str],
    method: str,
    event: dict[str, Any],
    headers: dict[str, str],
) -> None:
    params = {"functionName": "on_job_event", **key}
    with unchanged(site.services) as recorded:
        path = "/runtime/webhooks/eventgrid"
        answer = site.ask(method, path, params=params, json=[event], headers=headers)
    assert (answer.status_code, answer.content) == (401, b"")
    assert "webhook-allowed-origin" not in answer.headers
    assert "Event Grid's webhook refused a request: 401" in lines.messages
    assert recorded == []


@pytest.mark.parametrize(
    ("options", "status"),
    [
        pytest.param({"json": [{**HANDSHAKE, "data": {}}]}, 400, id="no-code"),
        pytest.param({"json": [{**HANDSHAKE, "data": {"validationCode": [1]}}]}, 400, id="a-list"),
        pytest.param({"json": []}, 400, id="no-event"),
        pytest.param({"content": b"<xml/>"}, 400, id="no-json"),
    ],
)
def test_a_handshake_without_its_code_is_refused(
    site: Site, lines: pytest.LogCaptureFixture, options: dict[str, Any], status: int
) -> None:
    options = {"json": None, **options}
    with unchanged(site.services):
        answer = site.publish("on_job_event", **options, headers=VALIDATION)
    assert answer.status_code == status
    assert f"Event Grid's webhook refused a request: {status}" in lines.messages


@pytest.mark.parametrize(
    ("function", "body", "status"),
    [
        pytest.param("on_job_event", b"x" * (1024 * 1024 + 1), 413, id="oversized"),
        pytest.param("on_job_event", b"[" * 100_000, 400, id="nested-without-end"),
        pytest.param("on_job_event", b'[{"id": ' + b"9" * 9_999 + b"}]", 400, id="huge-number"),
        pytest.param("on_job_event", b'["e-1"]', 400, id="no-event"),
        pytest.param("on_job_event", b'[{"id": 1, "eventType": null}]', 400, id="other-types"),
        pytest.param("rollback", json.dumps([JOB]).encode(), 404, id="no-function-of-events"),
        pytest.param("../../api/github", json.dumps([JOB]).encode(), 404, id="a-path"),
        pytest.param("<b>\x1b[2J", json.dumps([JOB]).encode(), 404, id="markup"),
    ],
)
def test_a_hostile_post_with_the_key_is_refused(
    site: Site, lines: pytest.LogCaptureFixture, function: str, body: bytes, status: int
) -> None:
    with unchanged(site.services):
        answer = site.publish(function, json=None, content=body)
    assert answer.status_code == status
    assert "html" not in answer.headers.get("content-type", "")
    assert f"Event Grid's webhook refused a request: {status}" in lines.messages


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(None, id="none"),
        pytest.param("bot-0123456789ab", id="text"),
        pytest.param({"runId": {"$ne": ""}}, id="an-object"),
        pytest.param({"runId": "cat-0123456789ab"}, id="no-project"),
        pytest.param({"runId": "../bot-0123456789ab"}, id="a-path"),
        pytest.param({"runId": "bot-0123456789ab\n"}, id="a-line"),
        pytest.param({"runId": "BOT-0123456789ab"}, id="another-case"),
        pytest.param({"runId": "eu_bot-0123456789ab"}, id="another-environment"),
        pytest.param({"runId": "x" * 100_000}, id="huge"),
    ],
)
def test_an_event_of_a_job_that_is_not_ours_has_no_effect(site: Site, data: Any) -> None:
    with unchanged(site.services) as recorded:
        assert site.publish("on_job_event", {**JOB, "data": data}).status_code == 202
    (found,) = recorded
    assert found.fate == "ignored"
    assert len(found.arrival.subject) <= 500


def test_a_forged_end_of_a_job_is_not_believed(site: Site) -> None:
    """It has its project looked at: what became of the job is read from the workspace."""
    forged = {**JOB, "data": {"runId": "bot-0123456789ab", "runStatus": "Completed"}}
    with unchanged(site.services) as recorded:
        assert site.publish("on_job_event", forged).status_code == 202
        asked = asked_for(site.services)
    (request,) = asked
    record = Arrival.model_validate(request.pop("unwritten"))
    assert (recorded, record.projects) == ([], ("bot",))
    known = {"kind": "project", "project": "bot", "event": record.ticket}
    assert {name: value for name, value in request.items() if value is not None} == known


def test_names_in_an_event_steer_nothing(site: Site, lines: pytest.LogCaptureFixture) -> None:
    steering = "\r\n\x1b[2J\u202e"
    event = {**JOB, "id": f"e{steering}", "data": {"runId": f"bot{steering}"}}
    with unchanged(site.services) as recorded:
        assert site.publish("on_job_event", event).status_code == 202
    (found,) = recorded
    came = found.arrival
    assert all(map(str.isprintable, (came.id, came.type, came.subject, came.why)))
    told = [each.getMessage() for each in lines.records if each.name == "tuneops.events.taking"]
    assert told
    assert all(map(str.isprintable, told))

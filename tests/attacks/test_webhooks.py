"""Forged, replayed and hostile deliveries to GitHub's webhook."""

import hmac
import json
import logging
from typing import Any

import pytest
from rich.console import Console

from handlers import config_merged
from handlers.config_merged import MAX_BODY_BYTES
from tests.attacks.site import Site, asked_for, signed, unchanged
from tuneops.cli.events import render
from tuneops.events.record import Arrival

PUSH = {
    "ref": "refs/heads/main",
    "after": "0123456789abcdef",
    "repository": {"full_name": "contoso/models"},
}
BODY = json.dumps(PUSH).encode()
GOOD = signed("push", BODY)
STEERING = "\r\nset-cookie: a=b\r\n\x1b[2J\x1b]0;owned\x07"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"x-hub-signature-256": ""}, id="no-signature"),
        pytest.param({"x-hub-signature-256": "sha256="}, id="empty"),
        pytest.param({"x-hub-signature-256": "sha256=" + "0" * 64}, id="guessed"),
        pytest.param(signed("push", BODY, "guess"), id="another-secret"),
        pytest.param(signed("push", BODY, ""), id="no-secret"),
        pytest.param(signed("push", BODY + b" "), id="of-another-body"),
        pytest.param({"x-hub-signature-256": "sha256=\u00e9".encode("latin-1")}, id="no-ascii"),
        pytest.param(
            {"x-hub-signature-256": GOOD["x-hub-signature-256"][7:]}, id="without-its-method"
        ),
    ],
)
def test_a_forged_delivery_is_refused(site: Site, headers: dict[str, Any]) -> None:
    with unchanged(site.services) as recorded:
        answer = site.ask("POST", "/api/github", content=BODY, headers={**GOOD, **headers})
    assert answer.status_code == 401
    (found,) = recorded
    assert (found.fate, found.arrival.why) == ("refused", "the signature does not match")


def test_a_signature_of_the_older_kind_is_none(site: Site) -> None:
    old = f"sha1={hmac.new(b'secret', BODY, 'sha1').hexdigest()}"
    headers = {**GOOD, "x-hub-signature": old}
    del headers["x-hub-signature-256"]
    with unchanged(site.services) as recorded:
        for name in ("x-hub-signature", "x-hub-signature-256"):
            answer = site.ask("POST", "/api/github", content=BODY, headers={**headers, name: old})
            assert answer.status_code == 401
    assert {each.fate for each in recorded} == {"refused"}


def test_a_replayed_delivery_has_the_repository_looked_at_and_nothing_else(site: Site) -> None:
    with unchanged(site.services) as recorded:
        for _ in range(4):
            assert site.deliver("push", BODY).status_code == 202
        asked = asked_for(site.services)
    assert (recorded, len(asked)) == ([], 4)
    for request in asked:
        record = Arrival.model_validate(request.pop("unwritten"))
        read = {"kind": "repository", "environment": "", "event": record.ticket}
        assert request == read, "what it says of the commit counts for nothing"


@pytest.mark.parametrize("event", ["pull_request", "issue_comment"])
def test_a_delivery_that_is_replayed_as_another_event_is_refused(site: Site, event: str) -> None:
    """The signature is of the body alone."""
    with unchanged(site.services) as recorded:
        assert site.deliver(event, BODY).status_code == 400
    (found,) = recorded
    assert (found.fate, found.arrival.type) == ("refused", event)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        pytest.param(b" " * (MAX_BODY_BYTES + 1), {}, 413, id="oversized"),
        pytest.param(b"[" * 100_000, {}, 400, id="nested-without-end"),
        pytest.param(b'{"ref": ' + b"9" * 9_999 + b"}", {}, 400, id="a-huge-number"),
        pytest.param(b'{"ref": 1e999, "repository": NaN}', {}, 400, id="no-number"),
        pytest.param(b'{"ref": "x", "ref": ["refs/heads/main"]}', {}, 400, id="a-key-twice"),
        pytest.param(b"\xff\xfe", {}, 400, id="no-text"),
        pytest.param(b"", {}, 400, id="empty"),
        pytest.param(b"[]", {}, 400, id="a-list"),
        pytest.param(BODY, {"content-type": "application/json; charset=evil"}, 400, id="charset"),
        pytest.param(BODY, {"content-type": "text/xml"}, 400, id="another-type"),
    ],
)
def test_a_hostile_body_is_refused_though_it_is_signed(
    site: Site, body: bytes, headers: dict[str, str], status: int
) -> None:
    with unchanged(site.services) as recorded:
        assert site.deliver("push", body, **headers).status_code == status
    (found,) = recorded
    assert found.fate == "refused"


@pytest.mark.parametrize("number", [0, -1, 2**53, 1.5, "7; rm -rf", [7], {"$ne": None}])
def test_a_pull_request_of_no_number_is_refused(site: Site, number: Any) -> None:
    told = {
        "action": "opened",
        "number": number,
        "pull_request": {"base": {"ref": "main"}},
        "repository": PUSH["repository"],
    }
    with unchanged(site.services) as recorded:
        assert site.deliver("pull_request", told).status_code == 400
    assert recorded[0].fate == "refused"


def test_what_steers_a_terminal_or_breaks_a_line_is_taken_out(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    told = {**PUSH, "ref": f"refs/heads/{STEERING}", "after": STEERING, "commits": STEERING}
    body = json.dumps(told).encode()
    headers = {**signed(STEERING, body), "x-github-delivery": f"d{STEERING}" * 50}
    with unchanged(site.services) as recorded:
        config_merged.handle(headers, body, site.services)
        told_of = {**headers, "x-github-event": "push", "x-github-delivery": STEERING}
        config_merged.handle(told_of, body, site.services)
    found = recorded
    assert [each.fate for each in found] == ["ignored", "ignored"]
    for came in (each.arrival for each in found):
        assert all(map(str.isprintable, (came.id, came.type, came.subject, came.why)))
        assert len(came.id) <= 100
    lines = [each.getMessage() for each in caplog.records if each.name.startswith("tuneops")]
    assert lines
    assert all(map(str.isprintable, lines))
    console = Console(width=200, record=True, force_terminal=False)
    with console.capture() as shown:
        console.print(render(found))
    assert "\x1b" not in shown.get()
    assert len(shown.get().splitlines()) == 3


def test_a_delivery_of_another_repository_has_no_effect(site: Site) -> None:
    with unchanged(site.services) as recorded:
        for name in ("evil/models", "contoso/models/../x", "contoso\u2024models"):
            told = {**PUSH, "repository": {"full_name": name}}
            assert site.deliver("push", told).status_code == 202
    assert {each.fate for each in recorded} == {"ignored"}

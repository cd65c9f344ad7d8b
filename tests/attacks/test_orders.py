"""Orders by the API of those who may give none, of others' projects, and of no order's form."""

import json
import logging
from typing import Any

import pytest

from tests.attacks.site import KEY, Site, unchanged
from tuneops.audit.reading import read_recent

KEYED = {"x-functions-key": KEY}
ORDERS = ("rollback", "retry", "approve", "suspend", "resume")
READ = ("releases", "releases/latest", "releases/1/metrics", "releases/1/logs")
NAMES = {
    "up": "..",
    "encoded": "..%2f..%2fdesired%2fbot",
    "encoded-twice": "%252e%252e%252fbot",
    "backslashes": "..%5c..%5cbot",
    "absolute": "%2fetc%2fpasswd",
    "nul": "bot%00",
    "line": "bot%0d%0aset-cookie:%20a=b",
    "steering": "bot%1b%5b2J",
    "another-case": "BOT",
    "a-part": "bo",
    "spaces": "%20bot",
    "of-another-environment": "eu.bot",
    "a-preview": "bot~7",
    "unicode": "b%D0%BEt",
    "long": "b" * 5000,
    "markup": "%3Cscript%3E",
    "template": "%7B%7B7*7%7D%7D",
}


@pytest.fixture(autouse=True)
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log."""
    caplog.set_level(logging.INFO)
    return caplog


@pytest.mark.parametrize("key", [{}, {"x-functions-key": ""}, {"x-functions-key": "guess"}])
def test_an_order_without_the_key_is_refused(
    site: Site, lines: pytest.LogCaptureFixture, key: dict[str, str]
) -> None:
    with unchanged(site.services):
        for order in ORDERS:
            answer = site.ask("POST", f"/api/projects/bot/{order}", headers=key, json={})
            assert answer.status_code == 401
            assert f"{order} refused a request: 401" in lines.messages
        for path in ("status", "projects", "cost", "audit", "events", "sweep", "doctor"):
            assert site.ask("GET", f"/api/{path}", headers=key).status_code == 401
    assert read_recent(site.services.store, "bot", 9).entries == []


@pytest.mark.parametrize("name", NAMES)
def test_a_project_that_is_none_takes_no_order(
    site: Site, lines: pytest.LogCaptureFixture, name: str
) -> None:
    with unchanged(site.services):
        for order in ORDERS:
            path = f"/api/projects/{NAMES[name]}/{order}"
            answer = site.ask("POST", path, headers=KEYED, json={"reason": "x"})
            assert answer.status_code == 404
        for what in READ:
            path = f"/api/projects/{NAMES[name]}/{what}"
            assert site.ask("GET", path, headers=KEYED).status_code == 404
    told = [each.getMessage() for each in lines.records if each.name.startswith("handlers")]
    assert name in ("up", "encoded", "absolute", "line") or len(told) == len(ORDERS)
    assert all(map(str.isprintable, told))
    paths = site.services.store.paths("audit/")
    assert list(paths) == []


@pytest.mark.parametrize(
    "number", ["0", "-1", "1e3", "..%2f2", "2%00", "9" * 400, "\u0662", "LATEST"]
)
def test_a_release_that_is_none_is_not_found(site: Site, number: str) -> None:
    with unchanged(site.services):
        for path in (f"/api/projects/bot/releases/{number}", f"/projects/bot/releases/{number}"):
            assert site.ask("GET", path, headers=KEYED).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b" " * 4097, 413, id="oversized"),
        pytest.param(b"[" * 4000, 400, id="nested"),
        pytest.param(b'{"to": ' + b"9" * 4000 + b"}", 400, id="huge-number"),
        pytest.param(b'{"to": 1e999}', 400, id="infinite"),
        pytest.param(b'{"to": true}', 400, id="a-flag"),
        pytest.param(b'{"action": "delete"}', 400, id="no-such-action"),
        pytest.param(b'{"by": "a\\r\\nb"}', 400, id="a-line-in-a-name"),
        pytest.param(b'{"reason": "\\u001b[2J"}', 400, id="steering"),
        pytest.param(b'{"__class__": "x", "a\\r\\nb": 1}', 400, id="other-fields"),
        pytest.param(b"\xff", 400, id="no-text"),
        pytest.param(b"by=Ada&to=1", 400, id="a-form"),
        pytest.param(b"<order/>", 400, id="xml"),
    ],
)
def test_an_order_of_no_orders_form_is_refused(
    site: Site, lines: pytest.LogCaptureFixture, body: bytes, status: int
) -> None:
    with unchanged(site.services):
        answer = site.ask("POST", "/api/projects/bot/rollback", headers=KEYED, content=body)
    assert answer.status_code == status
    (told,) = [each.getMessage() for each in lines.records if each.name == "handlers.rollback"]
    assert told.startswith(f"an order is refused ({status}): ")
    assert told.isprintable()


@pytest.mark.parametrize(
    ("order", "body", "said"),
    [
        ("approve", {"release": 2, "share": 100}, "waits for no approval"),
        ("approve", {"release": 1}, "nothing was changed"),
        ("rollback", {"action": "pin", "to": 99}, "has no release 99"),
        ("rollback", {"action": "unpin"}, "is not pinned"),
        ("retry", {}, "nothing to retry"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_and_has_its_entry(
    site: Site, order: str, body: dict[str, Any], said: str
) -> None:
    sent = {**body, "by": "{{7*7}}<b>"}
    with unchanged(site.services):
        answer = site.ask("POST", f"/api/projects/bot/{order}", headers=KEYED, json=sent)
    assert answer.status_code == 409
    newest = read_recent(site.services.store, "bot", 1).entries[0]
    assert (newest.outcome, newest.by, newest.known) == ("refused", "{{7*7}}<b>", "key")
    assert said in newest.said


def test_a_sign_in_that_the_caller_forges_names_nobody(site: Site) -> None:
    """Without Easy Auth the header is anybody's."""
    forged = {**KEYED, "x-ms-client-principal": "e30=", "x-ms-client-principal-name": "ada"}
    with unchanged(site.services):
        answer = site.ask("POST", "/api/projects/bot/retry", headers=forged, content=b"{}")
    assert answer.status_code == 409
    newest = read_recent(site.services.store, "bot", 1).entries[0]
    assert (newest.by, newest.known) == ("somebody", "key")


@pytest.mark.parametrize("identifier", ["..", "0123456789ab", "x" * 12, "..%2f..%2fswept", "%00"])
def test_what_was_never_swept_is_not_restored(site: Site, identifier: str) -> None:
    with unchanged(site.services):
        path = f"/api/swept/{identifier}/restore"
        assert site.ask("POST", path, headers=KEYED, json={}).status_code == 404


@pytest.mark.parametrize(
    "file", ["..%2ffunction_app.py", "%2e%2e%5cx", "%2fetc%2fpasswd", "a%00.css"]
)
def test_no_file_but_a_static_one_is_given(site: Site, file: str) -> None:
    answer = site.ask("GET", f"/static/{file}")
    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize(
    "query", ["project=../x", "month=../2026-11", "project=eu.bot%00", "month=2026-11%0a"]
)
def test_a_question_that_leads_elsewhere_is_refused(site: Site, query: str) -> None:
    with unchanged(site.services):
        assert site.ask("GET", f"/api/audit?{query}", headers=KEYED).status_code in (400, 404)


def test_the_status_of_a_path_is_of_no_project(site: Site) -> None:
    with unchanged(site.services):
        for name in ("../desired/bot", "/", "bot\x00", "*"):
            answer = site.ask("GET", "/api/status", params={"project": name}, headers=KEYED)
            assert answer.status_code == 404
            assert json.loads(answer.text) == {"error": "there is no project of that name"}

"""Forms that other sites have a browser send, and forms that were made for somebody else."""

import logging
from urllib.parse import urlencode

import pytest

from tests.attacks.site import KEY, URL, Site, unchanged
from tests.test_page_actions import LOCAL, MAY, token

ENCODED = {"x-functions-key": KEY, "content-type": "application/x-www-form-urlencoded"}
OWN = {**ENCODED, "sec-fetch-site": "same-origin"}
PATH = "/projects/bot/actions/suspend"


@pytest.fixture(autouse=True)
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log."""
    caplog.set_level(logging.INFO)
    return caplog


def body_of(site: Site, **changes: str) -> str:
    """A form that the page itself would have made, but for the changes."""
    fields = {"token": token(site.services, LOCAL), "confirmed": "yes", "reason": "x"}
    return urlencode({**fields, **changes})


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"sec-fetch-site": "cross-site"}, id="cross-site"),
        pytest.param({"sec-fetch-site": "same-site"}, id="same-site"),
        pytest.param({"sec-fetch-site": "none"}, id="typed"),
        pytest.param({"sec-fetch-site": "cross-site", "origin": URL}, id="contradiction"),
        pytest.param({"origin": "https://evil.example"}, id="another-origin"),
        pytest.param({"origin": f"{URL}.evil.example"}, id="alike"),
        pytest.param({"origin": "null"}, id="a-sandbox"),
        pytest.param({"referer": URL}, id="says-nothing"),
    ],
)
def test_a_form_that_another_site_sends_is_refused(
    site: Site, lines: pytest.LogCaptureFixture, headers: dict[str, str]
) -> None:
    body = body_of(site)
    with unchanged(site.services):
        answer = site.ask("POST", PATH, content=body, headers={**ENCODED, **headers})
    assert answer.status_code == 403
    assert any(
        each.startswith("an order is refused (403): this form was") for each in lines.messages
    )


@pytest.mark.parametrize(
    ("path", "changes", "headers", "status"),
    [
        pytest.param(PATH, {"token": ""}, {}, 403, id="no-token"),
        pytest.param(PATH, {"token": "9" * 12 + "." + "0" * 64}, {}, 403, id="guessed"),
        pytest.param(PATH, {"share": "9" * 4000}, {}, 400, id="oversized"),
        pytest.param(PATH, {"release": "9" * 3000}, {}, 400, id="a-huge-number"),
        pytest.param(PATH, {"reason": "a\r\nb"}, {}, 400, id="a-line"),
        pytest.param(PATH, {"evil": "1"}, {}, 400, id="another-field"),
        pytest.param(PATH, {}, {"content-type": "application/json"}, 400, id="another-type"),
        pytest.param("/projects/bot/actions/delete", {}, {}, 404, id="no-such-order"),
        pytest.param("/projects/cat/actions/suspend", {}, {}, 404, id="no-such-project"),
        pytest.param("/projects/..%5cbot/actions/suspend", {}, {}, 404, id="a-path"),
        pytest.param("/projects/eu.bot/actions/suspend", {}, {}, 404, id="another-environment"),
        pytest.param("/projects/%7B%7B7*7%7D%7D/actions/suspend", {}, {}, 404, id="a-template"),
        pytest.param("/projects/%3Cscript%3E/actions/suspend", {}, {}, 404, id="markup"),
    ],
)
def test_a_form_that_the_page_did_not_make_is_refused(
    site: Site,
    lines: pytest.LogCaptureFixture,
    path: str,
    changes: dict[str, str],
    headers: dict[str, str],
    status: int,
) -> None:
    body = body_of(site, **changes)
    with unchanged(site.services):
        answer = site.ask("POST", path, content=body, headers={**OWN, **headers})
    assert answer.status_code == status
    told = [each for each in lines.messages if each.startswith(f"an order is refused ({status})")]
    assert len(told) == 1
    assert told[0].isprintable()
    assert "<script>" not in answer.text
    assert "there is no project '49'" not in answer.text


def test_a_form_of_another_person_or_project_is_refused(site: Site) -> None:
    body = {
        "of-another-person": token(site.services, MAY),
        "of-another-project": token(site.services, LOCAL, "bot~7"),
    }
    with unchanged(site.services):
        for made in body.values():
            answer = site.ask("POST", PATH, content=body_of(site, token=made), headers=OWN)
            assert answer.status_code == 403


def test_opening_an_address_orders_nothing(site: Site) -> None:
    with unchanged(site.services):
        for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
            answer = site.ask(method, PATH, params={"confirmed": "yes"}, headers=OWN)
            assert answer.status_code in (303, 404)


def test_a_name_that_is_pointed_at_the_computer_opens_nothing(site: Site) -> None:
    body = body_of(site)
    with unchanged(site.services):
        for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:7071"):
            answer = site.ask("POST", PATH, content=body, headers={**OWN, "host": host})
            assert answer.status_code == 403
            there = {"x-functions-key": KEY, "host": host}
            assert site.ask("GET", "/projects/bot", headers=there).status_code == 403

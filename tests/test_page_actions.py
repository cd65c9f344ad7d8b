"""Orders from the page: what is offered to whom, and which forms are taken."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers import page_actions
from tests.deciding import DESIRED, NOW
from tests.test_approval import ALL_WAITING
from tests.test_page_access import ADA, principal
from tests.test_rollback import AT_FIVE, bot, git_of, made, orders
from tuneops import documents
from tuneops.approvals import Demand
from tuneops.audit.reading import read_recent
from tuneops.desired import Desired
from tuneops.orders import Orders, Pin, Suspension
from tuneops.page import forms, rendering
from tuneops.page.access import OPERATOR, PRINCIPAL, Visitor
from tuneops.page.actions import read_actions
from tuneops.page.answer import Answer
from tuneops.page.asked import Asked
from tuneops.page.forms import DAY_SECONDS, STEP_SECONDS, FormError, is_good_token, make_token
from tuneops.page.offers import DONE, Standing, offers
from tuneops.policy import InForce
from tuneops.policy_file import parse_policy
from tuneops.project import Project
from tuneops.release import Phase, Release
from tuneops.services import Services

__all__ = ["bot"]

URL = "https://app.contoso.example"
MAY = Visitor("ada@contoso.com", frozenset({OPERATOR}), "entra")
READS = Visitor("rob@contoso.com", frozenset(), "entra")
KEY = Visitor("the function key", frozenset(), "key")
LOCAL = Visitor("this computer", frozenset({OPERATOR}), "loopback")
PIN = Pin(id="p", release=1, by="Ada", at=NOW)
HELD = Suspension(id="s", by="Ada", at=NOW, reason="wrong data")
ONE = Project(name="bot", current=1, live=1)
FIVE = made(5, phase=Phase.LIVE)
FAILED = made(6, phase=Phase.FAILED)
CLOSED = Demand(by=("ada",), takes_key=False)
NAMED = Demand(by=("ada", "entra:Ada@contoso.com"), takes_key=False)


@pytest.mark.parametrize(
    ("standing", "offered"),
    [
        pytest.param(Standing(Project(name="bot"), DESIRED), ["suspend"], id="nothing-yet"),
        pytest.param(Standing(ONE, DESIRED, newest=made(1)), ["suspend"], id="the-first"),
        pytest.param(
            Standing(AT_FIVE, DESIRED, newest=FIVE), ["rollback", "suspend"], id="something-before"
        ),
        pytest.param(
            Standing(AT_FIVE, DESIRED, newest=FAILED),
            ["retry", "rollback", "suspend"],
            id="failed",
        ),
        pytest.param(
            Standing(AT_FIVE.replace(held_back="rolled back"), DESIRED, newest=FIVE),
            ["retry", "rollback", "suspend"],
            id="rolled-back",
        ),
        pytest.param(
            Standing(AT_FIVE.replace(held_back="pinned"), DESIRED, Orders(pin=PIN), FIVE),
            ["unpin", "rollback", "suspend"],
            id="pinned",
        ),
        pytest.param(
            Standing(AT_FIVE, DESIRED, Orders(suspension=HELD), FIVE),
            ["rollback", "resume"],
            id="suspended",
        ),
        pytest.param(
            Standing(AT_FIVE, DESIRED, Orders(suspension=HELD, pin=PIN), FIVE),
            ["unpin", "rollback", "resume", "suspend"],
            id="pinned-after-that",
        ),
        pytest.param(
            Standing(Project(name="bot~7", current=2, live=2), DESIRED, newest=FAILED),
            ["retry"],
            id="preview",
        ),
        pytest.param(
            Standing(Project(name="bot", current=1), DESIRED, newest=ALL_WAITING),
            ["approve", "reject", "suspend"],
            id="asks",
        ),
    ],
)
def test_what_is_offered_makes_sense(standing: Standing, offered: list[str]) -> None:
    assert [each.action for each in offers(standing, MAY)] == offered
    assert all(not each.why_not for each in offers(standing, MAY))
    for visitor, why in ((READS, f"takes the role {OPERATOR}"), (KEY, "does not say who you are")):
        assert all(why in each.why_not for each in offers(standing, visitor))


@pytest.mark.parametrize(
    ("demand", "visitor", "may"),
    [
        pytest.param(Demand(), MAY, True, id="no-rule"),
        pytest.param(Demand(), LOCAL, True, id="local"),
        pytest.param(Demand(), READS, False, id="no-role"),
        pytest.param(CLOSED, MAY, False, id="logins-alone"),
        pytest.param(CLOSED, LOCAL, False, id="logins-alone-and-local"),
        pytest.param(NAMED, MAY, True, id="named"),
        pytest.param(NAMED, LOCAL, False, id="named-and-local"),
        pytest.param(
            Demand(by=("entra:ada@contoso.com",), not_by_author=True, takes_key=False),
            MAY,
            False,
            id="may-be-the-author",
        ),
        pytest.param(Demand(by=("grace",), takes_key=True), MAY, True, id="key-is-enough"),
    ],
)
def test_who_may_approve_on_the_page(demand: Demand, visitor: Visitor, may: bool) -> None:
    project = Project(name="bot", current=1)
    approve, reject, _ = offers(Standing(project, DESIRED, Orders(), ALL_WAITING, demand), visitor)
    assert (not approve.why_not) == may
    assert (not reject.why_not) == visitor.may_act


@pytest.fixture(autouse=True)
def easy_auth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "True")


@pytest.fixture
def page(bot: Services) -> Services:
    """The project bot, as its page shows it to people who have signed in."""
    return Services(bot.settings.model_copy(update={"page_url": URL}))


def token(services: Services, visitor: Visitor = MAY, project: str = "bot") -> str:
    return read_actions(project, visitor, {}, services, datetime.now(UTC)).token


SIGNED_IN = {
    PRINCIPAL: principal(ADA, ("roles", OPERATOR)),
    "sec-fetch-site": "same-origin",
    "content-type": "application/x-www-form-urlencoded",
}


def send(
    services: Services,
    action: str,
    project: str = "bot",
    headers: dict[str, str | None] | None = None,
    method: str = "POST",
    **fields: Any,
) -> Answer:
    """A form with a good token of Ada's, but for what is given."""
    fields = {"token": token(services), **fields}
    known = {**SIGNED_IN, **(headers or {})}
    asked = Asked(
        f"{URL}/projects/{project}/actions/{action}",
        method,
        {name: value for name, value in known.items() if value is not None},
        parameters={"project": project, "action": action},
        body=urlencode(fields).encode(),
    )
    return page_actions.handle(asked, services)


def outcomes(services: Services) -> list[tuple[str, str, str]]:
    found = read_recent(services.store, "bot", 20).entries[::-1]
    return [(each.action, each.by, each.outcome) for each in found]


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        pytest.param({}, True, id="same-origin"),
        pytest.param({"sec-fetch-site": "same-site"}, False, id="same-site"),
        pytest.param({"sec-fetch-site": "cross-site"}, False, id="cross-site"),
        pytest.param({"sec-fetch-site": "none"}, False, id="typed"),
        pytest.param({"sec-fetch-site": ""}, False, id="empty"),
        pytest.param({"sec-fetch-site": "cross-site", "origin": URL}, False, id="contradiction"),
        pytest.param({"sec-fetch-site": None}, False, id="says-nothing"),
        pytest.param({"sec-fetch-site": None, "origin": URL}, True, id="own-origin"),
        pytest.param({"sec-fetch-site": None, "origin": "null"}, False, id="null"),
        pytest.param(
            {"sec-fetch-site": None, "origin": f"{URL}.evil.example"}, False, id="other-origin"
        ),
        pytest.param(
            {"sec-fetch-site": None, "origin": URL.replace("https", "http")}, False, id="scheme"
        ),
    ],
)
def test_a_form_comes_from_the_page_itself(
    page: Services, headers: dict[str, str | None], taken: bool
) -> None:
    answer = send(page, "suspend", headers=headers, confirmed="yes")
    assert answer.status == (HTTPStatus.SEE_OTHER if taken else HTTPStatus.FORBIDDEN)
    assert (orders(page).suspension is not None) == taken
    assert outcomes(page) == ([("suspend", ADA[1], "accepted")] if taken else [])


TOKENS: dict[str, Callable[[Services], str]] = {
    "none": lambda page: "",
    "nonsense": lambda page: "1.2.3",
    "no-digits": lambda page: "\u0661\u0662.ab",
    "of-another-person": lambda page: token(page, LOCAL),
    "of-another-project": lambda page: token(page, project="bot~7"),
    "too-old": lambda page: (
        read_actions(
            "bot",
            MAY,
            {},
            page,
            datetime.now(UTC) - timedelta(seconds=STEP_SECONDS + DAY_SECONDS + 1),
        ).token
    ),
    "of-the-future": lambda page: (
        read_actions("bot", MAY, {}, page, datetime.now(UTC) + timedelta(days=3)).token
    ),
    "longer": lambda page: f"{int(token(page).partition('.')[0]) + 9}.{token(page)[-64:]}",
}


@pytest.mark.parametrize("kind", TOKENS)
def test_a_form_is_made_for_who_sends_it(page: Services, kind: str) -> None:
    answer = send(page, "suspend", token=TOKENS[kind](page), confirmed="yes")
    assert answer.status == HTTPStatus.FORBIDDEN
    assert b"load the page again" in answer.body
    assert (orders(page), outcomes(page)) == (Orders(), [])


def test_nothing_is_done_without_a_form(page: Services) -> None:
    for method in ("HEAD", "PUT"):
        answer = send(page, "suspend", method=method, confirmed="yes")
        assert answer.status == HTTPStatus.METHOD_NOT_ALLOWED
    for project, back in (("bot", "/projects/bot"), ("a\r\nb://c", "/projects/a%0D%0Ab%3A%2F%2Fc")):
        opened = send(page, "suspend", project, method="GET", confirmed="yes")
        assert (opened.status, opened.headers["Location"]) == (HTTPStatus.SEE_OTHER, back)
    assert send(page, "delete").status == HTTPStatus.NOT_FOUND
    assert send(page, "suspend", "cat").status == HTTPStatus.NOT_FOUND
    assert send(page, "suspend", "<script>").status == HTTPStatus.NOT_FOUND
    assert b"<script>" not in send(page, "suspend", "<script>").body
    plain = send(page, "suspend", headers={"content-type": "text/plain"}, confirmed="yes")
    assert plain.status == HTTPStatus.BAD_REQUEST
    assert orders(page) == Orders()


def test_who_has_no_role_may_order_nothing(page: Services) -> None:
    reads = {PRINCIPAL: principal(ADA)}
    answer = send(page, "suspend", headers=reads, confirmed="yes")
    assert (answer.status, f"takes the role {OPERATOR}".encode() in answer.body) == (403, True)
    assert orders(page) == Orders()
    assert outcomes(page) == [("suspend", ADA[1], "refused")]
    for _ in range(5):
        assert send(page, "suspend", headers=reads, confirmed="yes").status == HTTPStatus.FORBIDDEN
    assert len(outcomes(page)) <= 2, "one entry for each hour"
    assert send(page, "suspend", headers={PRINCIPAL: None}).status == HTTPStatus.UNAUTHORIZED


def test_without_easy_auth_a_header_is_anybodys(
    page: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "")
    answer = send(page, "suspend", confirmed="yes")
    assert (answer.status, b"does not say who you are" in answer.body) == (403, True)
    assert orders(page) == Orders()
    assert outcomes(page) == [("suspend", "the function key", "refused")]


def test_what_takes_something_down_is_asked_back(page: Services) -> None:
    answer = send(page, "suspend", reason='"><b>')
    assert (answer.status, b"Release 2 serves on" in answer.body) == (200, True)
    assert b"<b>" not in answer.body
    answer = send(page, "rollback", to="", how="pin")
    text = answer.body.decode()
    assert "Pin bot to release 1?" in text
    assert made(1).model_version in text
    assert '<input type="hidden" name="to" value="1">' in text
    answer = send(page, "rollback")
    assert "Nothing is trained: the model is registered already" in answer.body.decode()
    assert send(page, "rollback", to="2").status == HTTPStatus.CONFLICT
    assert (orders(page), outcomes(page)) == (Orders(), [])


def test_an_order_is_given_once_however_often_the_form_is_sent(page: Services) -> None:
    for _ in range(2):
        answer = send(page, "suspend", confirmed="yes", reason="wrong data")
        assert answer.status == HTTPStatus.SEE_OTHER
        assert answer.headers["Location"] == "/projects/bot?done=suspend"
    held = orders(page).suspension
    assert held is not None
    assert (held.by, held.reason) == (ADA[1], "wrong data")
    for _ in range(2):
        assert send(page, "resume").status == HTTPStatus.SEE_OTHER
    for _ in range(2):
        answer = send(page, "rollback", confirmed="yes", how="pin", to="1")
        assert answer.headers["Location"] == "/projects/bot?done=pin"
    pin = orders(page).pin
    assert pin is not None
    assert pin.by == ADA[1]
    assert send(page, "unpin").status == HTTPStatus.SEE_OTHER
    again = send(page, "unpin")
    assert (again.status, b"bot is not pinned" in again.body) == (409, True)
    assert [action for action, _, _ in outcomes(page)] == [
        *("suspend", "suspend", "resume", "resume", "pin", "pin", "unpin", "unpin")
    ]


def test_what_waits_is_approved_as_the_policy_says(page: Services) -> None:
    question = ALL_WAITING.approval
    assert question is not None
    waiting = ALL_WAITING.replace(number=2, approval=question.replace(until=None))
    page.store.update(documents.release("bot", 2), Release, lambda _: waiting)

    def rules(by: str) -> None:
        text = f"approvals: [{{by: [{by}]}}]\npolicy: {{by: [ada]}}\n"
        policy = parse_policy(text, "tuneops-policy.yaml")
        page.store.update(documents.policy(""), InForce, lambda _: InForce(policy=policy))

    rules("ada")
    refused = send(page, "approve", release="2", share="100")
    assert (refused.status, b"is not named there" in refused.body) == (409, True)
    rules("ada, 'entra:ADA@contoso.com'")
    wrong = send(page, "approve", release="2", share="20")
    assert (wrong.status, b"asks about 100% of the traffic" in wrong.body) == (409, True)
    for _ in range(2):
        assert send(page, "approve", release="2", share="100").status == HTTPStatus.SEE_OTHER
    late = send(page, "reject", release="2", share="100")
    assert (late.status, b"the first answer counts" in late.body) == (409, True)
    said = orders(page).said
    assert said is not None
    assert (said.by, said.approves) == (ADA[1], True)
    assert [outcome for _, _, outcome in outcomes(page)] == [
        *("refused", "refused", "accepted", "accepted", "refused")
    ]


def test_what_github_does_not_take_is_said_with_the_way_by_hand(page: Services) -> None:
    nowhere = page.settings.model_copy(update={"github_api_url": "http://127.0.0.1:9"})
    answer = send(Services(nowhere), "rollback", confirmed="yes", to="1")
    assert answer.status == HTTPStatus.BAD_GATEWAY
    assert b"git push -u origin tuneops/rollback-bot-1" in answer.body
    assert outcomes(page) == [("rollback", ADA[1], "failed")]


def shown(services: Services, visitor: Visitor, **query: str) -> str:
    actions = read_actions("bot", visitor, query, services, datetime.now(UTC))
    return "".join(
        rendering.render(name, actions=actions) for name in ("actions.html", "audit.html")
    )


def test_the_page_shows_what_may_be_done_and_what_was(page: Services) -> None:
    send(page, "suspend", confirmed="yes", reason="<script>alert(1)</script>")
    text = shown(page, MAY, done="suspend")
    assert DONE["suspend"] in text
    assert 'action="/projects/bot/actions/resume"' in text
    assert "&lt;script&gt;" in text
    assert "<script>" not in text
    assert "ada@contoso.com <span" in text
    assert shown(page, MAY) == shown(page, MAY), "a page that has not changed is the same page"
    assert "<form" not in shown(page, READS)
    assert "token" not in shown(page, READS)
    assert DONE["retry"] not in shown(page, MAY, done="<b>retry</b>")


def test_a_suspension_of_git_is_shown_beside_that_of_people(page: Services) -> None:
    send(page, "suspend", confirmed="yes")
    page.store.update(documents.desired("bot"), Desired, lambda _: git_of("suspend: true\n"))
    assert "suspended by finetune/bot.yaml as well" in shown(page, MAY)


def test_what_nobody_looks_after_is_shown_without_orders(page: Services) -> None:
    actions = read_actions("gone.bot", MAY, {}, page, NOW)
    assert (actions.offers, "has no source in TUNEOPS_SOURCES" in actions.why_not) == ((), True)


FIELDS = ("token", "reason", "how", "to", "release", "share", "confirmed", "by", "project")


def bodies() -> Iterator[st.SearchStrategy[bytes]]:
    values = st.one_of(st.text(max_size=20), st.integers().map(str), st.just("yes"))
    pairs = st.lists(st.tuples(st.sampled_from(FIELDS), values), max_size=14)
    yield pairs.map(lambda given: urlencode(given, errors="replace").encode())
    yield st.binary(max_size=200)
    yield st.just(b"reason=" + b"a" * forms.MAX_BODY)


@settings(max_examples=150, deadline=None)
@given(st.one_of(*bodies()))
def test_a_form_is_what_it_should_be_or_is_refused(body: bytes) -> None:
    asked = Asked(URL, "POST", {"content-type": forms.ENCODING + "; charset=utf-8"}, body=body)
    try:
        form = forms.read_form(asked)
    except FormError:
        return
    assert len(body) <= forms.MAX_BODY
    assert form.reason.isprintable() or not any(ord(each) < 32 for each in form.reason)
    assert form.to is None or form.to >= 1


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=100), st.binary(min_size=32, max_size=32), st.integers(0, 26 * 3600))
def test_no_token_is_good_by_accident(text: str, key: bytes, later: int) -> None:
    assert not is_good_token(text, key, MAY, "bot", NOW)
    made = make_token(key, MAY, "bot", NOW)
    after = NOW + timedelta(seconds=later)
    assert is_good_token(made, key, MAY, "bot", after) == (later < STEP_SECONDS + DAY_SECONDS)
    assert not is_good_token(made, bytes(32), MAY, "bot", NOW) or key == bytes(32)

"""The page: what it shows of the overview, to whom, and that nothing on it runs but our own."""

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from http import HTTPStatus
from typing import Any

import pytest

from handlers import page
from tests.test_page_access import ADA, principal
from tuneops import documents
from tuneops.overview.document import Card, ChannelCard, Level, Overview, Served, SourceCard
from tuneops.page import rendering
from tuneops.page.access import PRINCIPAL
from tuneops.page.answer import CONTENT_SECURITY_POLICY, Answer
from tuneops.page.asked import Asked
from tuneops.page.overview_view import MAX_ROWS, NO_ENVIRONMENT, Filter, view
from tuneops.services import Services
from tuneops.sources import ConfigSource

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOSTILE = '<script>alert("x")</script>'
SOURCES = (
    ConfigSource(repository="contoso/models"),
    ConfigSource(environment="prod", repository="contoso/prod"),
)


def card(name: str, phase: str = "Live", **more: Any) -> Card:
    """A project's card; its environment is in its name."""
    environment = name.rpartition(".")[0]
    given: dict[str, Any] = {"release": 1, "reason": f"{name} is {phase}", **more}
    return Card(name=name, environment=environment, phase=phase, **given)


def overview(*cards: Card, **more: Any) -> Overview:
    """An overview that is whole."""
    return Overview(cards={each.name: each for each in cards}, complete=True, **more)


MIXED = (
    card("bot"),
    card("bot~7", "Testing", preview=7, preview_until=NOW),
    card("asks", "Shifting", approval=True),
    card("failed", "Failed"),
    card("going", "Training"),
    card("pinned", pin=2),
    card("prod.bot", live=Served(release=1, model="prod_bot:42", base_model="phi")),
    card("prod.gone", "Retired"),
    card("waits", "Waiting for data", release=None),
    card("old.left"),
)


def names(wanted: Filter) -> list[str]:
    """The projects that are shown, in their order."""
    return [row.card.name for row in view(overview(*MIXED), SOURCES, wanted).rows]


def test_what_needs_people_comes_first() -> None:
    assert names(Filter()) == [
        *("failed", "asks", "pinned", "going", "bot~7"),
        *("bot", "prod.bot", "old.left", "prod.gone", "waits"),
    ]
    seen = view(overview(*MIXED), SOURCES, Filter())
    expected: dict[Level, int] = {"bad": 1, "warn": 2, "busy": 2, "good": 2, "quiet": 3}
    assert seen.counts == expected


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"environment": "prod"}, ["prod.bot", "prod.gone"]),
        ({"environment": NO_ENVIRONMENT, "phase": "Live"}, ["pinned", "bot"]),
        ({"phase": "Training"}, ["going"]),
        ({"phase": "<b>"}, []),
        ({"q": " BOT live "}, ["bot", "prod.bot"]),
        ({"q": "bot:42"}, ["prod.bot"]),
        ({"q": "x" * 5000}, []),
        ({"q": "   "}, names(Filter())),
    ],
)
def test_the_list_can_be_narrowed_down(query: Mapping[str, str], shown: list[str]) -> None:
    assert names(Filter.of(query)) == shown


def test_what_its_own_documents_do_not_say() -> None:
    refused = SourceCard(commit="c", refused={"bot": "eve may not change it"})
    seen = view(overview(*MIXED, sources={"": refused}), SOURCES, Filter())
    rows = {row.card.name: row for row in seen.rows}
    assert rows["bot"].reason == "bot is Live; eve may not change it"
    assert (rows["bot"].level, rows["bot"].tags) == ("warn", ("config refused",))
    assert rows["asks"].tags == ("waits for approval",)
    assert rows["pinned"].tags == ("pinned to release 2",)
    assert rows["old.left"].reason.startswith("left as it is")


def test_costs_are_added_up_by_currency() -> None:
    live = Served(release=1, model="m:1", base_model="b")
    cards = (
        card("a", live=live, hourly=1.5, currency="EUR"),
        card("b", live=live, hourly=2.5, currency="EUR"),
        card("prod.c", live=live, hourly=3.0, currency="USD"),
        card("d", live=live),
        card("e", "Training"),
    )
    seen = view(overview(*cards), SOURCES, Filter())
    assert (seen.costs, seen.unpriced) == ({"EUR": 4.0, "USD": 3.0}, 1)


def test_so_many_projects_are_shown_at_most() -> None:
    cards = [card(f"p-{number:04}") for number in range(MAX_ROWS + 700)]
    seen = view(overview(*cards, card("zz", "Failed")), SOURCES, Filter())
    assert (len(seen.rows), seen.more, seen.total) == (MAX_ROWS, 701, MAX_ROWS + 701)
    assert seen.rows[0].card.name == "zz"


@pytest.fixture(autouse=True)
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is open on this computer."""
    monkeypatch.setenv("TUNEOPS_PAGE_URL", "http://127.0.0.1:7071")


def get(services: Services, headers: Mapping[str, str] | None = None, **query: str) -> Answer:
    """What the page answers."""
    asked = Asked("/", headers={"host": "127.0.0.1", **(headers or {})}, query=query)
    return page.handle(asked, services)


def write(services: Services, whole: Overview) -> None:
    """Store that overview."""
    services.store.update(documents.OVERVIEW, Overview, lambda _: whole)


def test_the_page_answers_and_says_when_nothing_has_changed(services: Services) -> None:
    write(services, overview(card("bot")))
    first = get(services)
    etag = first.headers["ETag"]
    assert (first.status, first.headers["Cache-Control"]) == (200, "private, no-cache")
    assert re.fullmatch(r'"[0-9a-f]{32}"', etag)
    for known in (etag, f'"other", {etag}', f"W/{etag}"):
        again = get(services, {"if-none-match": known})
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", etag)
    write(services, overview(card("bot", "Failed")))
    changed = get(services, {"if-none-match": etag})
    assert (changed.status, changed.headers["ETag"] != etag) == (200, True)


def test_a_read_and_a_list_are_enough(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    write(services, overview(card("bot")))
    caplog.set_level(logging.INFO, "azure.core.pipeline.policies.http_logging_policy")
    caplog.clear()
    assert get(services).status == 200
    asked = [each.message for each in caplog.records if "Request method" in each.message]
    assert len(asked) == 2
    assert f"/{services.settings.state_container}/{documents.OVERVIEW}" in asked[0]


@pytest.mark.parametrize("left", [None, b"{", b'{"cards": 1}'])
def test_an_overview_that_is_not_there_is_said_to_be_made(
    services: Services, left: bytes | None
) -> None:
    if left is not None:
        container = services.blobs.get_container_client(services.settings.state_container)
        container.upload_blob(documents.OVERVIEW, left)
    text = get(services).body.decode()
    assert "put together anew" in text
    assert "There is no project yet" in text


class Tags(HTMLParser):
    """Every element of a page with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_nothing_on_the_page_runs_but_what_is_ours(services: Services) -> None:
    source = SourceCard(commit=HOSTILE, errors=(HOSTILE,), refused={"bot": HOSTILE})
    channel = ChannelCard(name=HOSTILE, failing_since=NOW, error=HOSTILE)
    live = Served(release=1, model=HOSTILE, base_model=HOSTILE, instances=HOSTILE)
    hostile = card("bot", HOSTILE, reason=HOSTILE, commit=HOSTILE, endpoint=HOSTILE, live=live)
    write(services, overview(hostile, sources={"": source}, channels=(channel,)))
    narrowed = get(services, q='"><img src=x onerror=alert(1)>', phase=HOSTILE, code=HOSTILE)
    shown = get(services)
    for answer in (narrowed, shown):
        tags = Tags(answer.body.decode()).found
        scripts = [attributes.get("src", "") for tag, attributes in tags if tag == "script"]
        assert [str(each).partition("?")[0] for each in scripts] == ["/static/refresh.js"]
        assert "x" not in [attributes.get("src") for tag, attributes in tags if tag == "img"]
        names = {name for _, attributes in tags for name in attributes}
        assert not [name for name in names if name == "style" or name.startswith("on")]
    assert b"&lt;script&gt;" in shown.body
    assert shown.all_headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert shown.all_headers["Referrer-Policy"] == "same-origin"
    assert shown.all_headers["X-Content-Type-Options"] == "nosniff"


def test_a_key_goes_along_with_links_and_the_form(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNEOPS_PAGE_URL", "")
    write(services, overview(card("bot~7")))
    text = get(services, code="k&y").body.decode()
    assert 'href="/projects/bot~7?code=k%26y"' in text
    assert 'name="code" value="k&amp;y"' in text
    assert "code=" not in get(services).body.decode()
    monkeypatch.setenv("TUNEOPS_PAGE_URL", "http://127.0.0.1:7071")
    assert b"k&amp;y" not in get(services, code="k&y").body


def test_people_sign_in_where_app_service_has_them_do_so(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "True")
    sent = get(services, q="a b", path="/x", self="me")
    assert sent.status == HTTPStatus.FOUND
    assert sent.headers["Location"].startswith("/.auth/login/aad?post_login_redirect_uri=%2F%3Fq")
    shown = get(services, {PRINCIPAL: principal(ADA)})
    assert (shown.status, b"ada@contoso.com" in shown.body) == (200, True)
    assert b"/.auth/logout" in shown.body
    other = get(services, {PRINCIPAL: principal(ADA, provider="google")})
    assert (other.status, other.headers["Cache-Control"]) == (403, "no-store")
    assert b"sign in with Entra ID" in other.body

    posted = page.shown(Asked("/x", method="POST"), services, lambda _: Answer())
    assert posted.status == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("style.css", "text/css"),
        ("refresh.js", "text/javascript"),
        ("icon.svg", "image/svg+xml"),
        ("../answer.py", None),
        ("answer.py", None),
        ("", None),
    ],
)
def test_static_files_are_those_of_their_folder(name: str, kind: str | None) -> None:
    _, _, version = rendering.static_link(name).partition("?v=") if kind else ("", "", "")
    answer = page.static(name, version)
    if kind is None:
        assert answer.status == HTTPStatus.NOT_FOUND
        return
    assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
    assert "immutable" in answer.headers["Cache-Control"]
    assert page.static(name, "another").headers["Cache-Control"] == "no-cache"
    assert answer.body

"""The audit: what is kept of an order, whatever happens while it is given."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from handlers import audit as asked
from handlers import rollback
from tests.deciding import NOW
from tests.test_rollback import bot
from tuneops import documents
from tuneops.audit import journal
from tuneops.audit.entry import MAX_ENTRIES, Caller, Entry, Page, make_entry
from tuneops.audit.reading import Audit, read_audit, read_recent
from tuneops.cli.audit import render
from tuneops.going_back import RefusedError
from tuneops.rollback import Answer, NotProposedError
from tuneops.services import Services
from tuneops.store import Store

__all__ = ["bot"]

MONTH = "2026-01"
ADA = Caller("Ada", "key", "api")


def entry(identifier: str = "a", at: datetime = NOW, **more: Any) -> Entry:
    return make_entry(identifier, "bot", "suspend", ADA, at, **more)


def kept(services: Services) -> list[Entry]:
    """All entries of this month, oldest first."""
    return read_audit(services.store, "bot", f"{datetime.now(UTC):%Y-%m}").entries[::-1]


def test_an_order_leaves_who_what_and_what_came_of_it(bot: Services) -> None:
    body = json.dumps({"by": "Ada", "reason": "sig=0123456789abcdef", "to": 1, "action": "pin"})
    rollback.handle("bot", {}, body.encode(), bot)
    rollback.handle_retry("bot", {}, b'{"by": "Grace"}', bot)
    rollback.handle("bot", {}, b'{"action": "print"}', bot)
    rollback.handle_retry("nobody", {}, b"", bot)
    pin, retry = kept(bot)
    assert (pin.action, pin.what, pin.by, pin.known, pin.where) == (
        "pin",
        "to release 1",
        "Ada",
        "key",
        "api",
    )
    assert (pin.outcome, pin.reason) == ("accepted", "sig=[hidden]")
    assert pin.said.startswith("bot is pinned to release 1 by Ada since ")
    assert (retry.by, retry.outcome, retry.said.partition(" and")[0]) == (
        "Grace",
        "refused",
        "release 2 of bot is Live,",
    )


@pytest.mark.parametrize(
    ("error", "outcome", "said"),
    [
        pytest.param(RefusedError("not now"), "refused", "not now", id="refused"),
        pytest.param(NotProposedError("no luck", []), "failed", "no luck", id="failed"),
        pytest.param(ValueError("secret"), "failed", "internal error (ValueError)", id="unknown"),
    ],
)
def test_what_an_order_led_to(
    services: Services, error: Exception, outcome: str, said: str
) -> None:
    def do() -> Answer:
        assert entries(services) == [entry()]
        raise error

    with pytest.raises(type(error)):
        journal.audited(entry(), services.store, do)
    (found,) = entries(services)
    assert (found.outcome, found.said) == (outcome, said)


def entries(services: Services) -> list[Entry]:
    return read_audit(services.store, "bot", MONTH).entries


def test_a_crash_leaves_the_entry_begun(services: Services) -> None:
    def crash() -> Answer:
        raise SystemExit

    with pytest.raises(SystemExit):
        journal.audited(entry(), services.store, crash)
    assert [each.outcome for each in entries(services)] == ["begun"]


def test_without_an_entry_nothing_is_done(services: Services) -> None:
    done: list[str] = []

    def do() -> Answer:
        done.append("done")
        return Answer(text="done")

    with pytest.raises(ServiceRequestError):
        journal.audited(entry(), failing(services.store, 0), do)
    assert done == []
    assert journal.audited(entry(), failing(services.store, 1), do).text == "done"
    assert [each.outcome for each in entries(services)] == ["begun"]


def failing(store: Store, writes: int) -> Store:
    """The store, which is not reached any more after so many writes."""
    from copy import copy

    left, broken = [writes], copy(store)

    def write(*given: Any, **more: Any) -> Any:
        if not left[0]:
            raise ServiceRequestError("unreachable")
        left[0] -= 1
        return Store.write(store, *given, **more)

    broken.write = write  # type: ignore[method-assign]
    return broken


def test_thirty_orders_at_once_lose_none(bot: Services) -> None:
    def order(number: int) -> int:
        body = json.dumps({"by": f"person {number}"}).encode()
        return int(rollback.handle_suspend("bot", {}, body, bot)[0])

    with ThreadPoolExecutor(30) as pool:
        assert set(pool.map(order, range(30))) == {200}
    found = kept(bot)
    assert sorted(each.by for each in found) == sorted(f"person {n}" for n in range(30))
    assert {each.outcome for each in found} == {"accepted"}


def test_an_order_that_is_given_again_has_one_entry(services: Services) -> None:
    """As a comment's after a crash: what was accepted may be too late then."""
    store, at = services.store, NOW + timedelta(minutes=1)
    for outcome, after in (
        ("begun", "begun"),
        ("failed", "failed"),
        ("begun", "failed"),
        ("accepted", "accepted"),
        ("begun", "accepted"),
        ("refused", "accepted"),
    ):
        again = entry(at=NOW)
        journal.write(store, again if outcome == "begun" else again.end(outcome, "", at))
        assert [each.outcome for each in entries(services)] == [after]


def test_what_has_no_room_or_can_not_be_read_goes_on_in_the_next_document(
    services: Services,
) -> None:
    full = Page(entries=tuple(entry(str(number)) for number in range(MAX_ENTRIES)))
    services.store.write(documents.audit("bot", MONTH, 1), full, None)
    blob = services.blobs.get_blob_client(
        services.settings.state_container, documents.audit("bot", MONTH, 2)
    )
    blob.upload_blob(b'{"entries": [{"id": 7}]}')
    journal.write(services.store, entry("new", NOW + timedelta(minutes=1)))
    journal.write(services.store, entry("7").end("accepted", "done", NOW))
    found = read_audit(services.store, "bot", MONTH)
    assert (found.entries[0].id, len(found.entries), found.more) == ("new", MAX_ENTRIES + 1, False)
    assert [each.outcome for each in found.entries if each.id == "7"] == ["accepted"]
    assert found.problems[0].startswith(
        f"{services.settings.state_container}/audit/bot/2026-01~002"
    )
    assert blob.download_blob().readall() == b'{"entries": [{"id": 7}]}'
    recent = read_recent(services.store, "bot", 1)
    assert ([each.id for each in recent.entries], recent.more) == (["new"], True)


def test_what_is_asked_of_the_audit(bot: Services) -> None:
    def ask(project: str | None, month: str | None) -> tuple[int, Any]:
        status, text = asked.handle(project, month, bot)
        return int(status), json.loads(text)

    journal.write(bot.store, entry())
    journal.write(bot.store, make_entry("b", "cat~7", "retry", ADA, NOW + timedelta(minutes=1)))
    journal.write(bot.store, make_entry("c", "", "restore", ADA, NOW + timedelta(minutes=2)))
    assert [each["id"] for each in ask(None, MONTH)[1]["entries"]] == ["c", "b", "a"]
    assert [each["id"] for each in ask("bot", MONTH)[1]["entries"]] == ["a"]
    assert [each["id"] for each in ask("cat~7", MONTH)[1]["entries"]] == ["b"]
    assert ask("cat", MONTH)[1]["entries"] == []
    assert Audit.model_validate(ask("bot", None)[1]).entries == []
    assert ask("../bot", MONTH)[0] == 404
    assert ask("bot", "2026-13") == (
        400,
        {
            "text": "month: is a year and a month, as 2026-11",
            "release": None,
            "pull_request": "",
            "commands": [],
        },
    )


def test_the_audit_in_a_terminal() -> None:
    out = StringIO()
    ended = entry(reason="wrong [red]data").end("accepted", "bot is suspended", NOW)
    Console(file=out, width=200).print(render([ended, entry("b")]))
    first, second = out.getvalue().splitlines()[1:]
    assert "bot      suspend: wrong [red]data  Ada (key, api)  accepted: bot is suspended" in first
    assert second.rstrip().endswith("Ada (key, api)  begun")


def test_each_order_is_one_line_of_the_log(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="tuneops.audit.journal"):
        journal.write(services.store, entry(reason="so\nwhat"))
    (record,) = caplog.records
    line = record.getMessage()
    assert "\n" not in line
    assert json.loads(line.removeprefix("audit "))["reason"] == "so what"


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=2000))
def test_foreign_text_is_one_bounded_line(text: str) -> None:
    made = entry(reason=text, what=text).end("refused", text, NOW)
    for each in (made.reason, made.what, made.said):
        assert len(each) <= 500
        assert each == "" or each.isprintable()

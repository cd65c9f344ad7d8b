"""Suspending and resuming by an order: who is heard, and what wins over what."""

import json
from datetime import timedelta
from typing import Any

import pytest

from handlers import rollback
from tests.deciding import DESIRED, NOW
from tests.test_rollback import LARGE, bot, git_of, made, orders
from tuneops import documents
from tuneops.desired import Desired
from tuneops.message import Message
from tuneops.orders import Orders, Pin, Suspension
from tuneops.queue import ProjectRequest
from tuneops.reconcile import reconcile_project
from tuneops.release import Phase, Release
from tuneops.services import Services
from tuneops.suspension import stays_as_it_is, tell_of_suspension

__all__ = ["bot"]

HELD = Suspension(id="s", by="Ada", at=NOW, reason="wrong data")
TEXT = "suspended by Ada since 2026-01-01 00:00 UTC: wrong data"
EARLIER, LATER = (
    Pin(id="p", release=1, by="Grace", at=NOW + timedelta(minutes=minutes)) for minutes in (-1, 1)
)
BY_GIT = git_of("suspend: true\n")


def give(services: Services, what: str, name: str = "bot", **order: Any) -> tuple[int, str]:
    """Status and text of the answer."""
    handle = {"suspend": rollback.handle_suspend, "resume": rollback.handle_resume}[what]
    status, text = handle(name, {}, json.dumps({"by": "Ada", **order}).encode(), services)
    return int(status), str(json.loads(text)["text"])


@pytest.mark.parametrize(
    ("git", "order", "pin", "standstill"),
    [
        pytest.param(DESIRED, None, None, "", id="nobody"),
        pytest.param(DESIRED, HELD, None, TEXT, id="people"),
        pytest.param(BY_GIT, None, None, "suspended by p.yaml", id="git"),
        pytest.param(BY_GIT, HELD, None, TEXT, id="both"),
        pytest.param(DESIRED.replace(config=None), HELD, None, TEXT, id="removed"),
        pytest.param(DESIRED, HELD, EARLIER, TEXT, id="after-a-pin"),
        pytest.param(DESIRED, HELD, LATER, "", id="a-pin-was-ordered-later"),
        pytest.param(DESIRED, HELD, EARLIER.replace(at=NOW), "", id="at-once"),
    ],
)
def test_why_everything_stays_as_it_is(
    git: Desired, order: Suspension | None, pin: Pin | None, standstill: str
) -> None:
    git = git.replace(path="p.yaml")
    wanted = stays_as_it_is(git, order, pin)
    assert wanted.standstill == standstill
    assert wanted.fingerprint == git.fingerprint


def test_the_first_suspension_stands_and_whoever_is_faster_resumes(bot: Services) -> None:
    status, text = give(bot, "suspend", reason="wrong data")
    assert (status, text.startswith("bot is suspended by Ada since ")) == (200, True)
    held = orders(bot).suspension
    assert held is not None
    assert (held.by, held.reason) == ("Ada", "wrong data")
    assert give(bot, "suspend", by="Grace") == (200, f"bot is already {held}")
    assert orders(bot).suspension == held
    resumed = "resumed by Grace: all is well"
    assert give(bot, "resume", by="Grace", reason="all is well") == (200, f"bot is {resumed}")
    assert orders(bot) == Orders(resumed=resumed)
    assert give(bot, "resume") == (200, f"bot is not suspended; it was {resumed}")


def test_what_git_suspends_goes_on_by_git_alone(bot: Services) -> None:
    def change(extra: str) -> None:
        bot.store.update(documents.desired("bot"), Desired, lambda _: git_of(extra))

    give(bot, "suspend")
    change("suspend: true\n")
    status, text = give(bot, "resume")
    assert (status, "it stays suspended by finetune/bot.yaml, until 'susp" in text) == (200, True)
    status, text = give(bot, "resume")
    assert (status, "take 'suspend: true' out of finetune/bot.yaml" in text) == (409, True)
    change("")
    assert give(bot, "resume") == (200, "bot is not suspended; it was resumed by Ada")


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [("cat", 404, "there is no project"), ("../x", 404, "there is no"), ("bot~7", 409, "preview")],
)
def test_what_can_not_be_suspended(bot: Services, name: str, status: int, said: str) -> None:
    bot.store.write(documents.desired("bot~7"), git_of("").replace(project="bot~7"), None)
    answered, text = give(bot, "suspend", name)
    assert (answered, said in text) == (status, True)
    assert orders(bot) == Orders()


def test_whichever_of_pin_and_suspension_was_ordered_last_is_followed(bot: Services) -> None:
    def stays() -> bool:
        known = orders(bot)
        return known.suspension is not None and known.suspension.stays(known.pin)

    def pin() -> str:
        return str(json.loads(rollback.handle("bot", {}, b'{"action": "pin"}', bot)[1])["text"])

    give(bot, "suspend")
    assert "goes live" in pin()
    assert not stays()
    assert "already" not in give(bot, "suspend")[1]
    assert stays()
    assert "already" not in pin()
    assert not stays()
    assert "already pinned" in pin()


@pytest.mark.parametrize("by_git", [False, True])
def test_azure_is_not_asked_meanwhile(bot: Services, by_git: bool) -> None:
    """Whatever it would refuse: here there is not even a workspace."""
    alone = Services(bot.settings.model_copy(update={"github_api_url": "http://127.0.0.1:9"}))
    if by_git:
        alone.store.update(documents.desired("bot"), Desired, lambda _: git_of("suspend: true\n"))
    else:
        give(alone, "suspend")
    begun = made(2, LARGE, phase=Phase.TRAINING)
    alone.store.update(documents.release("bot", 2), Release, lambda _: begun)
    reconcile_project(ProjectRequest(project="bot"), alone)
    after = alone.release("bot", 2)
    assert after is not None
    assert (after.value.phase, after.value.trouble) == (Phase.TRAINING, None)
    told = [message.event for message in after.value.outbox]
    assert told == ([] if by_git else ["suspended"])


def test_each_suspension_and_its_end_is_told_of_once() -> None:
    release = orders_told(None, Orders(suspension=HELD))
    assert [(message.text, message.severity) for message in release] == [(TEXT, "warning")]
    assert "`tuneops resume bot`" in release[0].following
    again = HELD.replace(id="t")
    anew = Orders(suspension=again, resumed="resumed by Grace")
    assert [message.key for message in orders_told(HELD, anew)] == [
        "bot:1:resumed:s",
        "bot:1:suspended:t",
    ]


def test_what_is_suspended_anew_because_of_a_pin_was_not_resumed(bot: Services) -> None:
    give(bot, "suspend")
    give(bot, "resume", by="Grace")
    give(bot, "suspend", reason="again")
    before = orders(bot).suspension
    rollback.handle("bot", {}, b'{"action": "pin"}', bot)
    give(bot, "suspend", reason="the pin as well")
    assert [message.event for message in orders_told(before, orders(bot))] == ["suspended"]
    assert [message.event for message in orders_told(before, Orders())] == ["resumed"]


def test_orders_of_another_version_are_left_as_they_are(bot: Services) -> None:
    blob = bot.blobs.get_blob_client(bot.settings.state_container, documents.orders("bot"))
    blob.upload_blob(b'{"pin": 7}', overwrite=True)
    for what in ("suspend", "resume"):
        assert give(bot, what)[0] == 409
    assert blob.download_blob().readall() == b'{"pin": 7}'


def orders_told(before: Suspension | None, now: Orders) -> tuple[Message, ...]:
    """What people are owed, told twice as after a crash."""
    from tests.deciding import READY

    once = tell_of_suspension(READY.replace(outbox=()), before, now, NOW)
    assert tell_of_suspension(once, before, now, NOW + timedelta(minutes=5)) == once
    return once.outbox

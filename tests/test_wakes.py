"""Which message a look leaves on the queue, and which one needs no look of its own any more."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.planned import come_to, desired, release
from tuneops import documents, planning
from tuneops.clock import utc_now
from tuneops.events.effect import Led
from tuneops.looks import LOST_AFTER
from tuneops.project import Project, Wake
from tuneops.queue import ProjectRequest
from tuneops.reconcile import reconcile_project
from tuneops.release import Phase
from tuneops.services import Services

pytestmark = pytest.mark.slow
SERVERLESS = "compute: {name: serverless}\n"
SECOND = timedelta(seconds=1)

Look = Callable[[datetime, str | None], Led | None]
Ask = Callable[[datetime, datetime, dict[str, Any]], Led | None]


@pytest.fixture
def look(ask: Ask) -> Look:
    """Looks, at a time, at a project whose job is under way, for this wake-up or none."""
    return lambda time, wake: ask(time, time, {"wake": wake})


@pytest.fixture
def ask(working: Services) -> Ask:
    """Looks at it, at a time, for a request that has waited since another."""
    now = utc_now()
    made = release(SERVERLESS, working.settings.state_container)
    made = made.replace(training=planning.plan(working.workspace, made))
    made = come_to(made, Phase.TRAINING, now, "the data is ready")
    made = made.replace(moved_by=("2026112705:moved",))
    name = made.project
    project = Project(name=name, current=1)
    working.store.write(documents.desired(name), desired(SERVERLESS, name), etag=None)
    working.store.write(documents.release(name, 1), made, etag=None)
    working.store.write(documents.project(name), project, etag=None)

    def at(time: datetime, since: datetime, asked: dict[str, Any]) -> Led | None:
        request = ProjectRequest.model_validate({"project": name, **asked})
        return reconcile_project(request, working, lambda: time, since)

    return at


def next_wake(services: Services) -> Wake:
    """What the project's document says of its next look."""
    name = services.settings.state_container
    stored = services.store.read(documents.project(name), Project)
    assert stored is not None
    assert stored.value.wake is not None
    return stored.value.wake


def test_a_wake_up_that_comes_in_time_is_left_under_way(working: Services, look: Look) -> None:
    now = utc_now()
    look(now, None)
    first = next_wake(working)
    look(now + (first.at - now) / 10, None)
    assert next_wake(working) == first
    look(first.at, first.id)
    assert next_wake(working).at == first.at + (first.at - now)


def test_what_comes_in_between_puts_the_next_look_off(working: Services, look: Look) -> None:
    now = utc_now()
    look(now, None)
    first = next_wake(working)
    between = now + (first.at - now) / 2
    look(between, None)
    assert next_wake(working).at == between + (first.at - now)
    overtaken = look(first.at, first.id)
    assert overtaken is not None
    assert "asked for a later one" in overtaken.why


def test_a_late_wake_up_that_a_look_has_met_asks_azure_nothing(
    working: Services, look: Look
) -> None:
    look(utc_now(), None)
    late = next_wake(working)
    look(late.at + SECOND, None)
    following = next_wake(working)
    assert following.at > late.at + SECOND

    overtaken = look(late.at + 2 * SECOND, late.id)
    assert overtaken is not None
    assert "asked for a later one" in overtaken.why
    assert next_wake(working) == following
    due = look(following.at, following.id)
    assert due is not None
    assert "asked for a later one" not in due.why


def test_an_overtaken_wake_up_stands_in_for_one_that_is_lost(working: Services, look: Look) -> None:
    look(utc_now(), None)
    late = next_wake(working)
    look(late.at + SECOND, None)
    lost = next_wake(working)
    found = look(lost.at + LOST_AFTER + SECOND, late.id)
    assert found is not None
    assert "asked for a later one" not in found.why
    assert next_wake(working).at > lost.at + LOST_AFTER


def test_of_events_that_have_waited_together_the_first_one_alone_has_a_look(
    working: Services, ask: Ask
) -> None:
    now = utc_now()
    first = ask(now, now - 60 * SECOND, {"event": "2026112705:first"})
    assert first is not None
    assert "has seen to it" not in first.why
    assert looked(working) == now
    second = ask(now + SECOND, now - 30 * SECOND, {"event": "2026112705:second"})
    assert second == Led("merged", "a look that began after it came has seen to it")


@pytest.mark.parametrize(
    ("waits", "asked"),
    [
        pytest.param(4, {"event": "2026112705:next"}, id="it may have come after the look began"),
        pytest.param(30, {}, id="no event: somebody wants a look"),
        pytest.param(30, {"event": "2026112705:next", "wake": "w"}, id="a wake-up"),
        pytest.param(
            30, {"event": "2026112705:next", "view": {"wanted": "w"}}, id="a resync wants it noted"
        ),
        pytest.param(30, {"event": "2026112705:moved"}, id="its own look was cut short"),
    ],
)
def test_who_has_to_have_a_look_gets_one(
    working: Services, ask: Ask, waits: int, asked: dict[str, Any]
) -> None:
    now = utc_now()
    ask(now, now - 60 * SECOND, {"event": "2026112705:first"})
    found = ask(now + SECOND, now - waits * SECOND, asked)
    assert found is not None
    assert "has seen to it" not in found.why


def test_a_look_in_time_is_not_noted(working: Services, ask: Ask) -> None:
    now = utc_now()
    ask(now, now - 4 * SECOND, {"event": "2026112705:first"})
    assert looked(working) is None
    ask(now, now - 60 * SECOND, {"wake": "w"})
    assert looked(working) is None, "a wake-up is to come late"


def looked(services: Services) -> datetime | None:
    """When the project's last look began of those that were late."""
    stored = services.store.read(documents.project(services.settings.state_container), Project)
    assert stored is not None
    return stored.value.looked

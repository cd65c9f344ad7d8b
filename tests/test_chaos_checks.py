"""The fault suite can fail: each of its checks finds what is planted for it, and that alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import pytest

from tests.chaos.checks import check
from tests.chaos.driver import KINDS, Plan
from tests.chaos.evidence import Ended, Evidence, Expected, Sent
from tests.chaos.stories import COMMON, NOT_MET, STORIES
from tuneops import actions

LIVE = Ended("bot", 2, "Live", "all traffic goes to d-2", ("queued", "live"), "c0ffee")
FAILED = Ended("bot", 1, "Failed", "job bot-1 failed: No disk.", ("queued", "failed"), "c0ffee")
ENDINGS, EVENTS = "endings that are not true", "lost events"
DOUBLED, LEAKED = "doubled jobs, models, deployments", "leaked resources"
UNTOLD, CLIENTS = "missing notifications", "failed client requests"


def good() -> Evidence:
    """A project whose first release failed, whose second is live, with nothing wrong."""
    return Evidence(
        expected=[Expected("bot", 1, "Failed", "No disk."), Expected("bot", 2, "Live")],
        ended=[FAILED, LIVE],
        sent=[Sent("e1", "push")],
        fates={"e1": "acted"},
        jobs={"bot 1": [("bot-1", "Failed"), ("bot-1-2", "Completed")]},
        models={"bot 1": ["7"]},
        there={"endpoint e", "deployment e/d-2"},
        wanted={"endpoint e", "deployment e/d-2"},
        told={
            "bot: release 1 is queued": 1,
            "bot: release 1 failed": 1,
            "bot: release 2 is queued": 2,
            "bot: release 2 is live": 1,
            "bot: torn down: d-1": 1,
        },
        torn_down={"bot: torn down: d-1"},
        statuses={("c0ffee", "bot"): "success"},
        answers={"200": 100},
    )


def another_job(found: Evidence) -> None:
    found.jobs["bot 1"].append(("bot-1-3", "Running"))


def another_model(found: Evidence) -> None:
    found.models["bot 1"].append("8")


def another_deployment(found: Evidence) -> None:
    found.there.add("deployment e/d-9")


def a_running_job(found: Evidence) -> None:
    found.there.add("job bot-1-3")


def a_lease(found: Evidence) -> None:
    found.there.add("lease projects/bot.json")


def no_endpoint(found: Evidence) -> None:
    found.there -= {"endpoint e", "deployment e/d-2"}


def no_fate(found: Evidence) -> None:
    found.fates.clear()


def waiting(found: Evidence) -> None:
    found.fates["e1"] = "waiting"


def undelivered(found: Evidence) -> None:
    found.undelivered.append("job-event: 1 pending")


def not_told(found: Evidence) -> None:
    del found.told["bot: release 2 is live"]


def silently_gone(found: Evidence) -> None:
    del found.told["bot: torn down: d-1"]


def owed(found: Evidence) -> None:
    found.owed.append("mailboxes/bot/github.json: 1 waits")


def old_status(found: Evidence) -> None:
    found.statuses[("c0ffee", "bot")] = "pending"


def another_reason(found: Evidence) -> None:
    found.ended[0] = replace(FAILED, reason="submitting job bot-1: Internal Server Error")


def failed_instead(found: Evidence) -> None:
    found.ended[1] = replace(LIVE, phase="Failed", told=("queued", "live"), commit="")
    found.statuses[("c0ffee", "bot")] = "failure"


def one_too_many(found: Evidence) -> None:
    found.ended.append(Ended("bot", 3, "Superseded", "replaced"))


def one_too_few(found: Evidence) -> None:
    found.expected.append(Expected("bot", 3, "Live"))


def not_reached(found: Evidence) -> None:
    found.unreached.append("release 2 of bot is not live in 240 s")


def not_answered(found: Evidence) -> None:
    found.answers["503"] = 1


@pytest.mark.parametrize(
    ("plant", "figures"),
    [
        (another_job, {DOUBLED}),
        (another_model, {DOUBLED}),
        (another_deployment, {DOUBLED, LEAKED}),
        (a_running_job, {LEAKED}),
        (a_lease, {LEAKED}),
        (no_endpoint, {LEAKED}),
        (no_fate, {EVENTS}),
        (waiting, {EVENTS}),
        (undelivered, {EVENTS}),
        (not_told, {UNTOLD}),
        (silently_gone, {UNTOLD}),
        (owed, {UNTOLD}),
        (old_status, {UNTOLD}),
        (another_reason, {ENDINGS}),
        (failed_instead, {ENDINGS}),
        (one_too_many, {ENDINGS}),
        (one_too_few, {ENDINGS}),
        (not_reached, {ENDINGS}),
        (not_answered, {CLIENTS}),
    ],
)
def test_a_planted_mistake_is_found(plant: Callable[[Evidence], None], figures: set[str]) -> None:
    found = good()
    plant(found)
    assert {name for name, lines in check(found).items() if lines} == figures


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert not any(check(good()).values())


def test_every_effect_of_the_reconciler_is_met_by_a_story_or_said_not_to_be() -> None:
    met = COMMON.union(*(story.meets for story in STORIES.values()))
    effects = {effect.__name__ for effect in get_args(actions.Effect)}
    assert met | NOT_MET.keys() == effects
    assert not met & NOT_MET.keys()


def test_points_that_no_planned_round_has_met_get_a_round_with_nothing_else() -> None:
    plan, left = Plan(), [("Heal", "after"), ("SetAutoscale", "during")]
    assert plan.kinds_of(2) == KINDS
    assert plan.stories_of(2, left) == tuple(STORIES)
    assert plan.kinds_of(3) == ("points",)
    assert plan.stories_of(3, left) == ("own", "drifts")
    assert plan.stories_of(3, [("SubmitJob", "after")]) == tuple(STORIES)

"""A step that waits for a person: each decision, what a comment orders, and who may approve."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.config_text import config_of
from tests.deciding import DESIRED, GONE, NAME, NOW, OLD, RETRAIN, at, endpoint, matches
from tests.planned import come_to
from tests.test_rollout import (
    BACK,
    DELAY,
    LATE,
    MINUTE,
    OVER,
    SHARE,
    at_step,
    config,
    judged,
    sees,
)
from tuneops import actions, pinning
from tuneops.approvals import Approver, Demand, demanded, why_not
from tuneops.decide import decide
from tuneops.desired import Desired
from tuneops.gitops.commands import Command, parse
from tuneops.observed import Observed
from tuneops.orders import Pin
from tuneops.phases.serving import shift
from tuneops.policy import Policy, Verdict
from tuneops.policy_file import parse_policy
from tuneops.release import Phase, Release
from tuneops.rollout import approval_record, record
from tuneops.rollout.approval import GRACE, LOOK_EVERY
from tuneops.rollout.progress import Progress
from tuneops.rollout.question import Question, Said
from tuneops.rollout.settings import Rollout
from tuneops.rollout.steps import standing

DAY = timedelta(days=1)
UNTIL = NOW + DAY
FIRST = {"approval": {"before": "traffic"}}
LAST = {"approval": {"before": [100]}}
STEP = Progress(since=NOW, shifts=1)


def asks(release: Release, share: int, **changes: Any) -> Release:
    """The release with an open question of then; it was looked for answers just now."""
    question = Question(share=share, asked=NOW, until=UNTIL, pull=0)
    return release.replace(approval=question.replace(**changes))


def in_state(state: str, share: int = 0) -> Observed:
    """The new deployment with a share of the traffic, in this state."""
    observed = sees(share)
    assert observed.endpoint is not None
    there = tuple(
        replace(each, state=state) if each.name == NAME else each
        for each in observed.endpoint.deployments
    )
    return replace(observed, endpoint=replace(observed.endpoint, deployments=there))


def said(release: Release, *, approves: bool = True, **changes: Any) -> Said:
    """What Ada says to the question."""
    question = release.approval
    assert question is not None
    answer = Said(
        release=release.number,
        share=question.share,
        asked=question.asked,
        approves=approves,
        by="ada",
        at=NOW,
    )
    return answer.replace(**changes)


def with_answer(release: Release, *, approves: bool = True) -> Release:
    action = actions.TakeAnswer(said(release, approves=approves))
    return approval_record.answered(release, action, NOW)


def held(release: Release, now: Any = LATE) -> Release:
    return record.held(release, actions.Hold("quiet"), now)


def ask(share: int, at: Any = NOW, minutes: float = 1440) -> actions.AskPeople:
    return actions.AskPeople(share, at + timedelta(minutes=minutes))


BLUE_GREEN: dict[str, Any] = {"strategy": "blue-green", "steps": []}
NEW = at_step(**FIRST)
WAITING = asks(NEW, 20)
REJECTED = with_answer(WAITING, approves=False)
ABORTED = record.aborted(REJECTED, actions.Abort("rollout: no"))
ALL = at_step(**BLUE_GREEN, **FIRST)
ALL_WAITING = asks(ALL, 100)
DONE = judged(at_step(STEP, **{"steps": [20]}, **LAST), OVER)
DONE_WAITING = asks(DONE, 100)
QUIET = judged(at_step(STEP), LATE, ok=3)
HELD = held(QUIET)
GATED = judged(at_step(STEP, steps=[20], **LAST), LATE, ok=3)
ONCE_LIVE = come_to(come_to(ALL, Phase.LIVE, NOW, ""), Phase.SHIFTING, NOW, "")
PINNED = ALL.replace(adopts=1)
DEMANDS = Verdict(demand=Demand(gates=frozenset({0})))
MIRROR = {"strategy": "shadow", "steps": []}
WITHOUT = {"endpoint": endpoint(OLD, traffic=OLD)}

STEPS = [
    pytest.param(NEW, sees(), NOW, ask(20), id="asked-before-the-first-traffic"),
    pytest.param(WAITING, sees(), NOW, actions.Wait, id="waits-without-traffic"),
    pytest.param(WAITING, sees(20), NOW, BACK, id="who-gave-it-traffic-meanwhile"),
    pytest.param(
        WAITING, sees(said=said(WAITING)), NOW, actions.TakeAnswer(said(WAITING)), id="answered"
    ),
    pytest.param(
        WAITING,
        sees(said=said(WAITING).replace(release=7)),
        NOW,
        actions.Wait,
        id="another",
    ),
    pytest.param(WAITING, sees(said=said(WAITING, share=60)), NOW, actions.Wait, id="another-step"),
    pytest.param(
        WAITING,
        sees(said=said(WAITING, asked=NOW - DAY)),
        NOW,
        actions.Wait,
        id="said-before-it-was-deployed-anew",
    ),
    pytest.param(with_answer(WAITING), sees(), NOW, SHARE, id="approved"),
    pytest.param(REJECTED, sees(), NOW, actions.Abort, id="rejected"),
    pytest.param(
        ABORTED,
        sees(),
        NOW,
        actions.Fail(f"rollout: no; all traffic stays on {OLD}"),
        id="rejected-before-any-traffic",
    ),
    pytest.param(
        WAITING, sees(), UNTIL + GRACE - MINUTE, actions.Wait, id="what-was-said-last-is-looked-for"
    ),
    pytest.param(WAITING, sees(), UNTIL + GRACE, actions.Abort, id="nobody-answers"),
    pytest.param(
        WAITING,
        sees(said=said(WAITING)),
        UNTIL + GRACE,
        actions.TakeAnswer,
        id="said-in-time-and-seen-late",
    ),
    pytest.param(
        asks(at_step(approval={"on_timeout": "hold"}), 20),
        sees(),
        UNTIL + GRACE,
        actions.TellOverdue,
        id="nobody-answers-and-it-waits-on",
    ),
    pytest.param(
        asks(at_step(approval={"on_timeout": "hold"}), 20, overdue=True),
        sees(),
        UNTIL + DAY,
        actions.Wait,
        id="told-that-it-is-late",
    ),
    pytest.param(
        asks(at_step(STEP), 60),
        sees(0, said=said(asks(at_step(STEP), 60), approves=False)),
        NOW,
        actions.TakeAnswer,
        id="rejected-while-its-step-begins-again",
    ),
    pytest.param(
        asks(NEW, 20, pull=7), sees(), NOW + LOOK_EVERY, actions.LookForAnswers(), id="looks"
    ),
    pytest.param(
        asks(NEW, 20, pull=None), sees(), UNTIL + DAY, actions.LookForAnswers(), id="looks-first"
    ),
    pytest.param(
        WAITING,
        sees(**WITHOUT, said=said(WAITING, approves=False)),
        NOW,
        actions.TakeAnswer,
        id="rejected-and-deleted-by-hand",
    ),
    pytest.param(REJECTED, sees(**WITHOUT), NOW, actions.Abort, id="rejected-and-gone"),
    pytest.param(WAITING, sees(**WITHOUT), NOW, Phase.DEPLOYING, id="it-has-gone"),
    pytest.param(WAITING, in_state("Updating"), NOW, actions.Wait, id="somebody-changes-it"),
    pytest.param(WAITING, in_state("Failed"), NOW, Phase.DEPLOYING, id="somebody-broke-it"),
    pytest.param(
        with_answer(ALL_WAITING), in_state("Failed"), NOW, Phase.DEPLOYING, id="approved-and-broken"
    ),
    pytest.param(REJECTED, in_state("Failed"), NOW, actions.Abort, id="rejected-and-broken"),
    pytest.param(
        DONE_WAITING, in_state("Failed", 20), OVER + DELAY, actions.Wait, id="its-figures-tell"
    ),
    pytest.param(ALL, sees(), NOW, ask(100), id="all-at-once"),
    pytest.param(ALL, sees(live=""), NOW, ask(100), id="first-deployment"),
    pytest.param(ALL_WAITING, sees(), NOW, actions.Wait, id="all-at-once-waits"),
    pytest.param(ALL_WAITING, sees(100), NOW, BACK, id="all-at-once-by-hand"),
    pytest.param(
        with_answer(ALL_WAITING), sees(), NOW, actions.ShiftTraffic(), id="all-at-once-approved"
    ),
    pytest.param(with_answer(ALL_WAITING), sees(100), NOW, Phase.LIVE, id="all-at-once-there"),
    pytest.param(ALL, sees(100, live=""), NOW, Phase.LIVE, id="the-same-deployment"),
    pytest.param(ALL, sees(100), NOW, ask(100), id="all-by-hand-before-it-was-asked"),
    pytest.param(
        at_step(**BLUE_GREEN), sees(100), NOW, Phase.LIVE, id="all-by-hand-and-nobody-asks"
    ),
    pytest.param(
        with_answer(ALL_WAITING, approves=False), sees(), NOW, actions.Abort, id="all-rejected"
    ),
    pytest.param(PINNED, sees(), NOW, actions.ShiftTraffic(), id="a-pin-asks-nobody"),
    pytest.param(ONCE_LIVE, sees(live=""), NOW, actions.ShiftTraffic(), id="brought-back"),
    pytest.param(
        at_step(**MIRROR, **FIRST), sees(), NOW, ask(0), id="mirrored-requests-are-traffic"
    ),
    pytest.param(
        at_step(**MIRROR, **LAST),
        sees(),
        NOW,
        actions.ShareTraffic(OLD, 10, mirrored=True),
        id="mirrored-requests-are-not-all",
    ),
    pytest.param(DONE, sees(20), OVER + DELAY, ask(100, OVER + DELAY), id="asked-when-passed"),
    pytest.param(
        judged(at_step(STEP, **LAST), OVER),
        sees(20),
        OVER + DELAY,
        actions.NextStep(),
        id="not-before-60",
    ),
    pytest.param(
        judged(at_step(STEP, approval={"before": [50], "timeout_minutes": 5}), OVER),
        sees(20),
        OVER + DELAY,
        ask(60, OVER + DELAY, 5),
        id="50-is-on-the-way-to-60",
    ),
    pytest.param(DONE_WAITING, sees(20), OVER + DELAY, actions.Wait, id="its-share-stays"),
    pytest.param(
        DONE_WAITING,
        sees(20),
        OVER + DELAY + MINUTE,
        actions.ReadFigures,
        id="it-is-watched-while-it-waits",
    ),
    pytest.param(
        asks(judged(DONE, OVER + MINUTE, ok=10, failed=10), 100),
        sees(20, said=said(DONE_WAITING)),
        OVER + DELAY,
        actions.Abort,
        id="what-fails-meanwhile-is-aborted",
    ),
    pytest.param(
        with_answer(DONE_WAITING), sees(20), OVER + DELAY, actions.NextStep(), id="approved-at-last"
    ),
    pytest.param(
        with_answer(DONE_WAITING, approves=False),
        sees(20),
        OVER + DELAY,
        actions.Abort,
        id="rejected-at-last",
    ),
    pytest.param(DONE_WAITING, sees(20), UNTIL + GRACE, actions.Abort, id="late-at-last"),
    pytest.param(HELD, sees(20), LATE + DELAY, actions.LookForAnswers(), id="held-and-looked-at"),
    pytest.param(HELD, sees(20, said=said(HELD)), LATE, actions.TakeAnswer, id="held-and-answered"),
    pytest.param(with_answer(HELD), sees(20), LATE, actions.NextStep(), id="held-and-approved"),
    pytest.param(
        with_answer(HELD, approves=False), sees(20), LATE, actions.Abort, id="held-and-rejected"
    ),
    pytest.param(
        QUIET.replace(rollout=QUIET.rollout and QUIET.rollout.replace(held=True)),
        sees(20),
        LATE,
        actions.AskPeople(60, None),
        id="held-by-an-earlier-version",
    ),
    pytest.param(
        with_answer(held(GATED)), sees(20), LATE, actions.NextStep(), id="one-approval-for-both"
    ),
    pytest.param(
        judged(held(GATED), LATE + MINUTE),
        sees(20),
        LATE + DELAY,
        ask(100, LATE + DELAY),
        id="held-and-good-at-last-has-an-end",
    ),
    pytest.param(
        judged(HELD, LATE + MINUTE), sees(20), LATE + DELAY, actions.NextStep(), id="held-and-good"
    ),
    pytest.param(at_step(), sees(verdict=DEMANDS), NOW, ask(20), id="the-policy-wants-it"),
    pytest.param(
        at_step(**LAST), sees(verdict=DEMANDS), NOW, ask(20), id="the-config-weakens-nothing"
    ),
    pytest.param(
        asks(at_step(), 20), sees(), NOW, SHARE, id="the-policy-does-not-want-it-any-more"
    ),
]


@pytest.mark.parametrize(("release", "observed", "now", "expected"), STEPS)
def test_a_rollout_with_people(
    release: Release, observed: Observed, now: Any, expected: object
) -> None:
    action = shift(release, observed, now)
    assert matches(action, expected), action


NEWER = RETRAIN
SUSPENDED = DESIRED.replace(config=config(**FIRST).model_copy(update={"suspend": True}))
FINISHING = NEWER.replace(
    config=NEWER.config and NEWER.config.model_copy(update={"in_flight": "finish"})
)


def pin() -> Desired:
    target = at(Phase.SUPERSEDED).replace(number=0)
    held = pinning.pinned(DESIRED, target)
    assert Pin(id="p", release=0, by="Ada", at=NOW).release == held.adopts
    return held


@pytest.mark.parametrize(
    ("release", "observed", "desired", "expected"),
    [
        pytest.param(ALL_WAITING, sees(), NEWER, Phase.SUPERSEDED, id="newer"),
        pytest.param(ALL_WAITING, sees(), FINISHING, Phase.SUPERSEDED, id="no-end-to-wait-for"),
        pytest.param(DONE_WAITING, sees(20), NEWER, BACK, id="newer-at-a-step"),
        pytest.param(with_answer(ALL_WAITING), sees(), NEWER, actions.ShiftTraffic(), id="late"),
        pytest.param(ALL_WAITING, sees(), pin(), Phase.SUPERSEDED, id="pinned"),
        pytest.param(DONE_WAITING, sees(20), pin(), BACK, id="pinned-at-a-step"),
        pytest.param(DONE_WAITING, sees(20), GONE, BACK, id="removed"),
        pytest.param(
            WAITING, sees(said=said(WAITING)), SUSPENDED, actions.Idle, id="suspended-and-answered"
        ),
    ],
)
def test_what_comes_in_between(
    release: Release, observed: Observed, desired: Desired, expected: object
) -> None:
    release = release.replace(fingerprint="of-before")
    assert matches(decide(desired, release, observed, NOW), expected)


def test_people_are_told_once_what_waits_and_who_approved() -> None:
    asked = approval_record.asked(DONE, ask(100, OVER), OVER)
    assert asked.approval is not None
    again = approval_record.answered(asked, actions.TakeAnswer(said(asked)), OVER)
    again = approval_record.answered(again, actions.TakeAnswer(said(asked)), OVER)
    assert [(each.event, each.title) for each in again.outbox] == [
        ("awaits_approval", "bot: release 1 waits for approval"),
        ("approved", "bot: release 1 is approved"),
    ]
    assert again.outbox[0].text == (
        f"endpoint {DONE.endpoint}, {NAME}: waits for approval of 100% of the traffic until "
        "2026-01-02 00:10 UTC (tuneops approve bot); 20% of the traffic: new: 100 requests, 0 "
        "failed; live: 400 requests, 0 failed"
    )
    assert again.outbox[1].text == (
        "100% of the traffic was approved by ada on 2026-01-01 00:00 UTC"
    )
    assert standing(asked, OVER).endswith(
        "; waits for approval of 100% of the traffic until 2026-01-02 00:10 UTC (tuneops approve "
        "bot)"
    )
    assert "waits" not in standing(again, OVER)


def test_who_is_deployed_anew_and_held_again_is_told_again() -> None:
    anew = come_to(HELD.advance(Phase.DEPLOYING, LATE, "it has gone"), Phase.SHIFTING, LATE)
    again = held(anew, LATE + MINUTE)
    assert [message.event for message in again.outbox] == ["held", "held"]


def test_a_question_is_asked_anew_of_what_is_deployed_anew_and_not_of_the_next_step() -> None:
    anew = come_to(with_answer(WAITING), Phase.DEPLOYING, NOW, "it has gone")
    assert anew.approval is None
    first = judged(held(judged(at_step(STEP), LATE, ok=3)), LATE + MINUTE)
    assert record.passed(first).approval is None
    assert record.shared(WAITING, SHARE, NOW).approval is None
    assert record.shared(DONE_WAITING, SHARE, NOW).approval == DONE_WAITING.approval
    kept = record.passed(with_answer(DONE_WAITING)).approval
    assert kept is not None
    assert kept.answer is not None


def test_a_release_of_an_earlier_version_is_read() -> None:
    stored = at_step(STEP).model_dump(exclude={"approval"})
    assert Release.model_validate(stored).approval is None
    default = config_of("bot")
    assert DESIRED.fingerprint == DESIRED.replace(config=default).fingerprint


@pytest.mark.parametrize(
    ("approval", "problem"),
    [
        ({"before": []}, "at least 1 item"),
        ({"before": [0]}, "greater than or equal to 1"),
        ({"before": "all"}, "'traffic'"),
        ({"before": [True]}, "valid integer"),
        ({"timeout_minutes": 0}, "greater than 0"),
        ({"on_timeout": "approve"}, "'abort' or 'hold'"),
        ({"by": ["ada"]}, "Extra inputs"),
    ],
)
def test_what_a_config_may_not_say(approval: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Rollout.model_validate({"approval": approval})


COMMANDS = [
    ("/tuneops approve", Command("approve")),
    ("/tuneops reject", Command("reject")),
    ("/tuneops approve bot", Command("approve", "bot")),
    ("/tuneops approve production.bot 3", Command("approve", "production.bot", 3)),
    ("/tuneops\tapprove   3 ", Command("approve", "", 3)),
    ("/tuneops approve bot 3 25%", Command("approve", "bot", 3, 25)),
    ("/tuneops reject 100%", Command("reject", share=100)),
    ("\n\n/tuneops approve bot\r\n\r\nlooks good", Command("approve", "bot")),
    ("> What about it?\n\n/tuneops reject 2", Command("reject", "", 2)),
    ("> /tuneops approve", None),
    ("> it is well\n/tuneops approve", None),
    ("```\n/tuneops approve\n```", None),
    ("~~~\n/tuneops approve\n~~~", None),
    ("    /tuneops approve", None),
    ("`/tuneops approve`", None),
    ("<!--\n/tuneops approve\n-->", None),
    ("Please write\n\n/tuneops approve", None),
    ("/tuneopsapprove", None),
    ("", None),
]


@pytest.mark.parametrize(("body", "command"), COMMANDS)
def test_what_a_comment_orders(body: str, command: Command | None) -> None:
    assert parse(body) == command


@pytest.mark.parametrize(
    "body",
    [
        "/tuneops",
        "/tuneops aprove",
        "/tuneops approve bot please",
        "/tuneops approve bot 0",
        "/tuneops approve Bot",
        "/tuneops approve a\n/tuneops approve b",
        "/tuneops approve bot " + "9" * 10,
    ],
)
def test_what_is_no_command_says_why(body: str) -> None:
    command = parse(body)
    assert command is not None
    assert command.problem


def not_quoted(body: str) -> Iterator[str]:
    """The lines that belong to no quote: one lasts until a blank line."""
    quoted = False
    for line in body.split("\n"):
        quoted = bool(line.strip()) and (quoted or line[:4].lstrip(" ").startswith(">"))
        if not quoted:
            yield line


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["/tuneops approve", "/tuneops reject b2 7", "> x", "```", "", "    a", "<!--", "text"]
        )
        | st.text(max_size=20),
        max_size=6,
    )
)
def test_a_comment_has_one_command_at_most_and_none_that_is_quoted(lines: list[str]) -> None:
    body = "\n".join(lines)
    command = parse(body)
    shown = [line for line in not_quoted(body) if line.startswith("/tuneops ")]
    if command and not command.problem:
        assert len(shown) == 1
    quoted = "\n".join(f"> {line}" for line in body.split("\n"))
    assert parse(quoted) is None
    assert parse(f"```\n{body}\n```") is None
    assert parse(f"{quoted}\n/tuneops approve") is None


RULES = parse_policy(
    """
approvals:
  - {environments: [production], before: [25], by: [Ada], not_by_author: true}
  - {projects: [bot], by: [grace], function_key: true}
policy: {by: [ada]}
""",
    "tuneops-policy.yaml",
)


def test_rules_add_up_to_the_strictest() -> None:
    assert demanded(RULES.approvals, "production.bot") == Demand(
        frozenset({0, 25}), ("Ada", "grace"), not_by_author=True, takes_key=False
    )
    assert demanded(RULES.approvals, "staging.bot") == Demand(frozenset({0}), ("grace",))
    assert demanded(RULES.approvals, "staging.cat") == Demand()
    assert demanded(RULES.approvals, "production.bot~12") == Demand()


def test_rules_are_not_lifted_by_those_they_bind() -> None:
    with pytest.raises(ValidationError, match="approvals needs policy"):
        Policy.model_validate({"approvals": [{}]})


ANYBODY, BY_ADA = Demand(), Demand(by=("Ada",))
OTHERS = Demand(not_by_author=True)


@pytest.mark.parametrize(
    ("approver", "demand", "why"),
    [
        pytest.param(Approver("bob", writes=True), ANYBODY, "", id="writes"),
        pytest.param(Approver("bob", writes=False), ANYBODY, "only who may write", id="reads"),
        pytest.param(Approver("ada", writes=True), BY_ADA, "", id="named"),
        pytest.param(Approver("ada", writes=False), BY_ADA, "only who may write", id="has-left"),
        pytest.param(Approver("bob", writes=True), BY_ADA, "want Ada to approve", id="not-named"),
        pytest.param(Approver("bob", False, True), ANYBODY, "", id="reviewer"),
        pytest.param(Approver("bob", True, False), ANYBODY, "only a required", id="no-reviewer"),
        pytest.param(Approver("bob", True, True), BY_ADA, "want Ada", id="the-policy-comes-first"),
        pytest.param(Approver("Eve", writes=True), OTHERS, "who opened", id="author"),
        pytest.param(Approver("eve", True, True, True), ANYBODY, "who opened", id="own-review"),
        pytest.param(Approver("eve", True, True), ANYBODY, "", id="own-and-allowed"),
        pytest.param(Approver("bob", writes=True), OTHERS, "", id="not-the-author"),
    ],
)
def test_who_may_approve(approver: Approver, demand: Demand, why: str) -> None:
    found = why_not(approver, demand, "eve")
    assert bool(found) == bool(why), found
    assert why in found


def test_the_policy_is_asked_at_each_look() -> None:
    free = replace(sees(), verdict=Verdict())
    assert matches(shift(at_step(), free, NOW), SHARE)
    assert matches(shift(at_step(), replace(free, verdict=DEMANDS), NOW), actions.AskPeople)

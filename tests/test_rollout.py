"""Rollouts: what a config may say, each step's decision, and what people are told."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from tests.config_text import config_of
from tests.deciding import (
    DESIRED,
    GONE,
    NAME,
    NOW,
    OLD,
    READY,
    RETAINED,
    RETRAIN,
    at,
    endpoint,
    matches,
)
from tests.planned import come_to
from tuneops import actions
from tuneops.analysis import DeploymentFigures
from tuneops.config import ProjectConfig
from tuneops.decide import decide
from tuneops.desired import Desired
from tuneops.observed import Deployment, Observed
from tuneops.phases.deploying import MAX_REPAIRS
from tuneops.provisioning import Provisioning
from tuneops.release import Phase, Release
from tuneops.rollout import record
from tuneops.rollout.approval import Move
from tuneops.rollout.approval_text import waiting_text
from tuneops.rollout.progress import Progress
from tuneops.rollout.question import Question
from tuneops.rollout.settings import Rollout
from tuneops.rollout.steps import MAX_SHIFTS, next_move, share_of, standing, take_back
from tuneops.superseded import Superseded

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
DELAY = 3 * MINUTE


def config(**rollout: Any) -> ProjectConfig:
    """A project with this rollout; a canary of 20% and 60% unless it says otherwise."""
    canary = {"strategy": "canary", "steps": [20, 60]}
    return config_of("bot").model_copy(
        update={"rollout": Rollout.model_validate({**canary, **rollout})}
    )


def at_step(progress: Progress | None = None, **rollout: Any) -> Release:
    return at(Phase.SHIFTING, config=config(**rollout)).replace(rollout=progress)


def sees(
    new: int = 0, *, mirrored: int = 0, live: str = OLD, state: str = "Succeeded", **more: Any
) -> Observed:
    """The new deployment with a share of the traffic, the live one with the rest."""
    traffic = {name: share for name, share in ((live, 100 - new), (NAME, new)) if name and share}
    there = endpoint(*filter(None, (live, NAME)), state=state)
    shared = replace(
        there,
        deployments=tuple(
            replace(each, release="0") if each.name == live else each for each in there.deployments
        ),
        traffic=traffic if live or new else {},
        mirror_traffic={NAME: mirrored} if mirrored else {},
    )
    serving = f"{READY.endpoint}/{live}" if live else ""
    return Observed(
        **{
            "endpoint": shared,
            "live_release": 0 if live else None,
            "live_deployment": serving,
            "metrics_delay": DELAY,
            **more,
        }
    )


def figures(name: str, ok: int, failed: int = 0) -> DeploymentFigures:
    return DeploymentFigures(deployment=name, minutes=10, statuses={200: ok, 503: failed})


def judged(release: Release, until: Any, ok: int = 100, failed: int = 0) -> Release:
    """The release after its figures up to then were read."""
    action = actions.ReadFigures(OLD, NOW, until)
    return record.judged(release, action, {NAME: figures(NAME, ok, failed), OLD: figures(OLD, 400)})


BEGUN = at_step(Progress(since=NOW, shifts=1))
OVER = NOW + 10 * MINUTE
LATE = OVER + 60 * MINUTE
GOOD = judged(BEGUN, OVER)
BAD = judged(BEGUN, NOW + 2 * MINUTE, ok=10, failed=10)
QUIET = judged(BEGUN, LATE, ok=3)
ABORTED = BEGUN.replace(rollout=Progress(since=NOW, shifts=1, aborted="it is bad"))
HELD = BEGUN.replace(rollout=Progress(since=NOW, shifts=1, held=True))
SHADOW = {"strategy": "shadow", "steps": []}
TAKEN = replace(
    endpoint(OLD, NAME),
    ours=False,
    tags={"tuneops.project": "another"},
    traffic={OLD: 80, NAME: 20},
)
SHARE = actions.ShareTraffic(OLD, 20)
BACK = actions.ShareTraffic(OLD, 0)


def unclear(then: str) -> Release:
    release = at_step(Progress(since=NOW, shifts=1), on_insufficient_traffic=then)
    return judged(release, LATE, ok=3)


STEPS = [
    pytest.param(at_step(), sees(), NOW, SHARE, id="first-share"),
    pytest.param(at_step(), sees(state="Updating"), NOW, actions.Wait, id="it-is-being-shared"),
    pytest.param(at_step(), sees(20), NOW, actions.BeginStep(OLD, 20), id="shared"),
    pytest.param(BEGUN, sees(20), NOW, actions.Wait, id="just-begun"),
    pytest.param(BEGUN, sees(20), NOW + DELAY, actions.Wait, id="no-figures-yet"),
    pytest.param(
        BEGUN,
        sees(20),
        NOW + DELAY + MINUTE,
        actions.ReadFigures(OLD, NOW, NOW + MINUTE),
        id="first-figures",
    ),
    pytest.param(
        at_step(Progress(since=NOW + SECOND, shifts=1)),
        sees(20),
        NOW + DELAY + MINUTE + SECOND,
        actions.ReadFigures(OLD, NOW + MINUTE, NOW + MINUTE + SECOND),
        id="the-minute-of-the-smoke-test-is-left-out",
    ),
    pytest.param(
        judged(BEGUN, NOW + MINUTE),
        sees(20),
        NOW + DELAY + MINUTE + 59 * SECOND,
        actions.Wait,
        id="looked-at-every-minute",
    ),
    pytest.param(
        judged(BEGUN, OVER - SECOND),
        sees(20),
        OVER + DELAY,
        actions.ReadFigures(OLD, NOW, OVER),
        id="looked-at-in-the-end",
    ),
    pytest.param(
        judged(BEGUN, OVER - SECOND), sees(20), OVER, actions.Wait, id="good-and-not-over"
    ),
    pytest.param(BAD, sees(20), NOW + 5 * MINUTE, actions.Abort, id="bad-before-its-end"),
    pytest.param(GOOD, sees(20), OVER + DELAY, actions.NextStep(), id="good"),
    pytest.param(
        record.passed(GOOD), sees(20), OVER, actions.ShareTraffic(OLD, 60), id="second-share"
    ),
    pytest.param(
        record.passed(record.passed(GOOD)), sees(60), OVER, actions.ShiftTraffic(), id="all-of-it"
    ),
    pytest.param(
        judged(BEGUN, LATE - MINUTE, ok=3),
        sees(20),
        LATE + DELAY,
        actions.ReadFigures,
        id="waits-for-traffic",
    ),
    pytest.param(QUIET, sees(20), LATE + DELAY, actions.Hold, id="held"),
    pytest.param(
        record.held(QUIET, actions.Hold("quiet"), LATE), sees(20), LATE, actions.Wait, id="told"
    ),
    pytest.param(
        judged(record.held(QUIET, actions.Hold("quiet"), LATE), LATE + MINUTE),
        sees(20),
        LATE + DELAY,
        actions.NextStep(),
        id="held-and-good-at-last",
    ),
    pytest.param(unclear("continue"), sees(20), LATE, actions.NextStep(), id="continues"),
    pytest.param(unclear("abort"), sees(20), LATE, actions.Abort, id="not-clear"),
    pytest.param(BEGUN, sees(0), NOW, SHARE, id="somebody-took-it-away"),
    pytest.param(
        at_step(Progress(shifts=MAX_SHIFTS)), sees(0), NOW, actions.Abort, id="again-and-again"
    ),
    pytest.param(ABORTED, sees(20), NOW, BACK, id="it-goes-back"),
    pytest.param(ABORTED, sees(20, state="Updating"), NOW, actions.Wait, id="it-is-going-back"),
    pytest.param(
        ABORTED, sees(0), NOW, actions.Fail(f"it is bad; all traffic is back on {OLD}"), id="back"
    ),
    pytest.param(
        ABORTED,
        sees(endpoint=endpoint(OLD, traffic=OLD)),
        NOW,
        actions.Fail("it is bad"),
        id="aborted-and-gone",
    ),
    pytest.param(
        at_step(**SHADOW), sees(), NOW, actions.ShareTraffic(OLD, 10, mirrored=True), id="mirror"
    ),
    pytest.param(
        at_step(**SHADOW),
        sees(mirrored=10),
        NOW,
        actions.BeginStep(OLD, 10, mirrored=True),
        id="mirrored",
    ),
    pytest.param(
        record.passed(judged(at_step(Progress(since=NOW), **SHADOW), OVER)),
        sees(mirrored=10),
        OVER,
        actions.ShiftTraffic(),
        id="all-after-the-mirror",
    ),
    pytest.param(
        ABORTED.replace(config=config(**SHADOW)), sees(mirrored=10), NOW, BACK, id="mirror-ends"
    ),
    pytest.param(at_step(), sees(live=""), NOW, actions.ShiftTraffic(), id="nothing-is-live"),
    pytest.param(
        at_step(),
        sees(endpoint=replace(endpoint(OLD, NAME), traffic={})),
        NOW,
        actions.ShiftTraffic(),
        id="nothing-is-served",
    ),
    pytest.param(
        at_step(), sees(live_deployment="another/d-old"), NOW, actions.ShiftTraffic(), id="moved"
    ),
    pytest.param(
        at_step(), sees(live_deployment=""), NOW, SHARE, id="made-live-by-an-older-version"
    ),
    pytest.param(
        at_step(),
        sees(endpoint=replace(endpoint(OLD, NAME, traffic=OLD, d0="Deleting"))),
        NOW,
        actions.ShiftTraffic(),
        id="live-is-being-deleted",
    ),
    pytest.param(
        at(Phase.FAILED, config=config()), sees(20), NOW, BACK, id="failed-with-some-traffic"
    ),
    pytest.param(
        at(Phase.FAILED, config=config()), sees(mirrored=9), NOW, BACK, id="failed-with-a-mirror"
    ),
    pytest.param(
        at(Phase.FAILED, config=config()),
        sees(endpoint=TAKEN),
        NOW,
        actions.Idle,
        id="failed-and-the-endpoint-is-somebody-else's",
    ),
    pytest.param(
        at(Phase.SHIFTING, config=config()).replace(repairs=MAX_REPAIRS),
        sees(20, state="Failed"),
        NOW,
        actions.Fail,
        id="azure-does-not-share",
    ),
]


@pytest.mark.parametrize(("release", "observed", "now", "expected"), STEPS)
def test_steps(release: Release, observed: Observed, now: Any, expected: object) -> None:
    desired = DESIRED.replace(config=release.config)
    release = release.replace(fingerprint=desired.fingerprint)
    action = decide(desired, release, observed, now)
    assert matches(action, expected), action


FINISHES = RETRAIN.replace(
    config=config_of("bot", "in_flight: finish\ntraining: {parameters: {num_train_epochs: 9}}\n")
)
PIN = DESIRED.replace(adopts=7)


@pytest.mark.parametrize(
    ("desired", "release", "observed", "expected"),
    [
        pytest.param(RETRAIN, BEGUN, sees(20), BACK, id="traffic-goes-back-first"),
        pytest.param(RETRAIN, BEGUN, sees(20, state="Updating"), actions.Wait, id="busy"),
        pytest.param(RETRAIN, BEGUN, sees(0), Phase.SUPERSEDED, id="then-it-makes-way"),
        pytest.param(FINISHES, BEGUN, sees(20), actions.Wait, id="it-is-finished"),
        pytest.param(FINISHES, HELD, sees(20), BACK, id="what-is-held-is-not-finished"),
        pytest.param(FINISHES, HELD, sees(0), Phase.SUPERSEDED, id="then-it-makes-way-too"),
        pytest.param(PIN, BEGUN, sees(20), BACK, id="a-pin-does-not-wait"),
        pytest.param(
            PIN.replace(config=FINISHES.config), BEGUN, sees(20), BACK, id="a-pin-waits-for-nothing"
        ),
        pytest.param(RETRAIN, ABORTED, sees(20), BACK, id="an-abort-is-finished"),
        pytest.param(RETRAIN, ABORTED, sees(0), actions.Fail, id="an-abort-ends"),
        pytest.param(
            RETRAIN,
            record.passed(record.passed(GOOD)),
            sees(60),
            actions.ShiftTraffic(),
            id="the-last-shift-is-finished",
        ),
        pytest.param(
            RETRAIN, at(Phase.FAILED), sees(20), BACK, id="before-the-next-release-begins"
        ),
        pytest.param(
            GONE.replace(removed=RETAINED), BEGUN, sees(20), BACK, id="before-it-is-left-alone"
        ),
    ],
)
def test_what_comes_in_between(
    desired: Desired, release: Release, observed: Observed, expected: object
) -> None:
    action = decide(desired, release, observed, NOW)
    assert matches(action, expected), action


def test_a_pin_goes_live_at_once() -> None:
    release = at_step().replace(adopts=7)
    assert decide(PIN, release, sees(), NOW) == actions.ShiftTraffic()


def test_a_failed_deployment_is_kept_as_long_as_the_config_says() -> None:
    release = at(Phase.FAILED, config=config(keep_failed_for_minutes=30))
    release = release.replace(history=(release.history[-1].replace(reason="it is bad"),))
    desired = DESIRED.replace(config=release.config)
    release = release.replace(fingerprint=desired.fingerprint)
    kept = "it is bad; its deployment is kept until 2026-01-01 00:30 UTC"
    assert decide(desired, release, sees(), NOW) == actions.Wait(kept, 1800)
    later = NOW + 30 * MINUTE
    assert decide(desired, release, sees(), later) == actions.DeleteDeployment(NAME)


def test_a_failed_release_leaves_what_the_live_one_has_superseded_its_time() -> None:
    kept = at(Phase.LIVE, config=config(keep_previous_for_minutes=60))
    release = at(Phase.FAILED, number=2, config=config(keep_failed_for_minutes=30))
    desired = DESIRED.replace(config=release.config)
    release = release.replace(fingerprint=desired.fingerprint)
    there = endpoint(OLD, NAME, "other", traffic="other")
    serving = f"{READY.endpoint}/other"
    old = (Superseded(deployment=f"{READY.endpoint}/{OLD}", at=NOW),)
    observed = Observed(
        endpoint=there, live=kept, live_release=1, live_deployment=serving, previous=old
    )
    assert matches(decide(desired, release, observed, NOW), actions.Wait)
    own = decide(desired, release, observed, NOW + 30 * MINUTE)
    assert own == actions.DeleteDeployment(NAME)
    without = replace(observed, endpoint=endpoint(OLD, "other", traffic="other"))
    still = decide(desired, release, without, NOW + 30 * MINUTE)
    assert still == actions.Wait("what is superseded is kept for a while", 1800)
    later = decide(desired, release, without, NOW + 60 * MINUTE)
    assert later == actions.DeleteDeployment(OLD)


def test_what_serves_is_repaired_and_not_deleted() -> None:
    broken = replace(
        endpoint(traffic=NAME), deployments=(Deployment(NAME, "Failed", "1", error="boom"),)
    )
    release = at(Phase.DEPLOYING, number=2)
    action = decide(DESIRED, release, Observed(endpoint=broken, live_release=1), NOW)
    assert action == actions.NoteFailure()
    seen = release.replace(provisioning=Provisioning(failed_at=NOW - MINUTE))
    action = decide(DESIRED, seen, Observed(endpoint=broken, live_release=1), NOW)
    assert action == actions.RepairDeployment()


def test_traffic_does_not_go_back_to_what_was_made_again_and_not_tested() -> None:
    """Somebody has deleted what was live, and a release that came to nothing made it again."""
    tested = sees(100)
    assert decide(GONE, at_step(), tested, NOW) == actions.ShareTraffic(OLD, 0)
    assert tested.endpoint is not None
    again = tuple(replace(each, release="1") for each in tested.endpoint.deployments)
    observed = replace(tested, endpoint=replace(tested.endpoint, deployments=again))
    assert isinstance(decide(GONE, at_step(), observed, NOW), actions.DeleteEndpoint)


def test_a_shift_drops_what_was_seen_before_it() -> None:
    again = record.shared(GOOD, SHARE, NOW).rollout
    assert again == Progress(shifts=2)
    assert record.shared(GOOD, BACK, NOW) == GOOD
    assert GOOD.advance(Phase.DEPLOYING, NOW, "it has gone").rollout is None


def test_a_config_is_the_same_after_it_was_stored() -> None:
    for each in (DESIRED, DESIRED.replace(config=config())):
        stored = Desired.model_validate_json(each.model_dump_json())
        assert stored.fingerprint == each.fingerprint


def test_people_are_told_of_the_beginning_a_hold_and_the_end_with_figures() -> None:
    release = record.begun(record.shared(at_step(), SHARE, NOW), actions.BeginStep(OLD, 20), NOW)
    release = record.passed(judged(release, OVER, ok=118, failed=2))
    release = record.begun(
        record.shared(release, actions.ShareTraffic(OLD, 60), NOW), actions.BeginStep(OLD, 60), OVER
    )
    release = record.held(judged(release, LATE, ok=3), actions.Hold("rollout: not clear"), LATE)
    seen = "new: 120 requests, 2 failed; live: 400 requests, 0 failed"
    assert [(each.event, each.text) for each in release.outbox[-2:]] == [
        (
            "shifting",
            f"endpoint {READY.endpoint}: 20% of the traffic to {NAME}, {OLD} is live",
        ),
        ("held", "rollout: not clear"),
    ]
    assert [each.following for each in release.outbox[-2:]] == [
        "it gets 60% and then 100% of the traffic, after at least 10 min each",
        "the traffic stays as it is until the figures tell, or somebody says `tuneops approve bot`",
    ]
    assert [entry.reason for entry in release.history[-3:-1]] == [
        f"20% of the traffic to {NAME}, {OLD} is live",
        f"60% of the traffic to {NAME}, {OLD} is live (after 20% of the traffic: {seen})",
    ]
    assert record.last_seen(release) == f" (after 20% of the traffic: {seen})"


def test_an_abort_says_why() -> None:
    release = BAD.replace(fingerprint=DESIRED.replace(config=BAD.config).fingerprint)
    action = decide(DESIRED.replace(config=BAD.config), release, sees(20), NOW)
    assert isinstance(action, actions.Abort)
    assert action.reason.startswith("rollout: at 20% of the traffic: 10 of 20 requests (50%)")
    assert "10 with 503" in action.reason
    assert action.reason.endswith("(new: 20 requests, 10 failed; live: 400 requests, 0 failed)")
    aborted = record.aborted(release, action)
    assert aborted.rollout is not None
    assert aborted.rollout.aborted == action.reason


@pytest.mark.parametrize(
    ("release", "said"),
    [
        (at_step(), ""),
        (at_step(Progress(shifts=1)), "20% of the traffic is being set"),
        (BEGUN, "20% of the traffic for 6 min, no figures yet"),
        (
            GOOD,
            "20% of the traffic for 6 min, pass so far "
            "(new: 100 requests, 0 failed; live: 400 requests, 0 failed)",
        ),
        (ABORTED, "it is bad"),
        (record.passed(record.passed(GOOD)), ""),
        (at(Phase.LIVE), ""),
    ],
)
def test_the_status_says_where_it_stands(release: Release, said: str) -> None:
    assert standing(release, NOW + 6 * MINUTE + SECOND) == said


@pytest.mark.parametrize(
    ("rollout", "shares"),
    [
        ({}, ()),
        ({"strategy": "canary"}, (5, 25, 50)),
        ({"strategy": "canary", "steps": [1, 99]}, (1, 99)),
        ({"strategy": "shadow"}, ()),
        ({"strategy": "shadow", "steps": [10]}, (10,)),
    ],
)
def test_steps_of_a_config(rollout: dict[str, Any], shares: tuple[int, ...]) -> None:
    assert Rollout.model_validate(rollout).shares == shares


@pytest.mark.parametrize(
    ("rollout", "problem"),
    [
        ({"steps": [5]}, "steps belong to strategy canary or shadow"),
        ({"strategy": "canary", "steps": [25, 5]}, "do not rise: 25, 5"),
        ({"strategy": "canary", "steps": [5, 5]}, "do not rise: 5, 5"),
        ({"strategy": "canary", "steps": [0]}, "greater than or equal to 1"),
        ({"strategy": "canary", "steps": [100]}, "less than or equal to 99"),
        ({"strategy": "canary", "steps": [True]}, "valid integer"),
        ({"strategy": "canary", "steps": list(range(1, 12))}, "at most 10 items"),
        ({"strategy": "shadow", "mirror_percent": 51}, "less than or equal to 50"),
        ({"pause_minutes": 0}, "greater than 0"),
        ({"pause_minutes": float("nan")}, "finite"),
        ({"analysis": {"max_error_percent": float("inf")}}, "finite"),
        ({"analysis": {"max_p90_ms": float("inf")}}, "finite"),
        ({"on_insufficient_traffic": "wait"}, "'continue', 'hold', 'abort' or 'behaviour'"),
    ],
)
def test_what_a_config_may_not_say(rollout: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Rollout.model_validate(rollout)


def test_people_are_told_once_that_traffic_can_not_be_given_back() -> None:
    release = come_to(at_step(), Phase.FAILED, NOW, "Azure does not share")
    desired, told = DESIRED.replace(config=release.config), []
    for _ in range(record.TOLD_AFTER + 2):
        action = decide(desired, release, sees(20, state="Failed"), NOW)
        assert action == replace(BACK, again=True)
        release = record.shared(release, action, NOW)
        told.append([message.text for message in release.outbox])
    assert told[record.TOLD_AFTER - 2] == []
    (text,) = told[-1]
    assert text.startswith(f"endpoint {release.endpoint}: Azure fails at giving the traffic of ")
    assert told[record.TOLD_AFTER - 1] == [text]


@pytest.mark.parametrize(
    ("live", "takes"),
    [
        pytest.param(None, OLD, id="not-looked-at"),
        pytest.param(Phase.LIVE, OLD, id="live"),
        pytest.param(Phase.RETIRED, OLD, id="retained"),
        pytest.param(Phase.TESTING, "", id="deployed-again"),
        pytest.param(Phase.SUPERSEDED, "", id="deployed-again-and-superseded"),
        pytest.param(Phase.FAILED, "", id="deployed-again-in-vain"),
    ],
)
def test_traffic_goes_back_only_to_what_is_live_still(live: Phase | None, takes: str) -> None:
    """It is not given to what had to be deployed again and did not pass its test."""
    observed = sees(100, live_release=0)
    observed = replace(observed, live=at(live, number=0) if live else None)
    assert observed.incumbent(NAME) == takes
    back = take_back(at_step(Progress(shifts=1)), observed)
    assert back == (actions.ShareTraffic(OLD, 0) if takes else None)
    assert replace(observed, endpoint=sees(20).endpoint).incumbent(NAME) == OLD


@pytest.mark.parametrize(
    ("release", "share"),
    [
        pytest.param(at(Phase.LIVE), 100, id="live"),
        pytest.param(at(Phase.DEPLOYING), 0, id="before"),
        pytest.param(at(Phase.DEPLOYING, rollout=Progress(since=NOW)), 0, id="deployed-once-more"),
        pytest.param(at_step(), 0, id="not-begun"),
        pytest.param(at_step(Progress()), 0, id="no-step-yet"),
        pytest.param(at_step(Progress(since=NOW)), 20, id="the-first"),
        pytest.param(at_step(Progress(step=1)), 20, id="on-its-way-to-the-second"),
        pytest.param(at_step(Progress(step=1, since=NOW)), 60, id="the-second"),
        pytest.param(at_step(Progress(step=2)), 60, id="on-its-way-to-all"),
        pytest.param(at_step(Progress(step=5, since=NOW)), 60, id="there-were-more-steps"),
        pytest.param(ABORTED, 0, id="aborted"),
        pytest.param(
            at_step(Progress(since=NOW), strategy="shadow", steps=[]), 0, id="copies-of-requests"
        ),
        pytest.param(
            at_step(Progress(step=1, since=NOW), strategy="blue-green", steps=[]), 0, id="no-steps"
        ),
    ],
)
def test_the_share_that_a_release_has(release: Release, share: int) -> None:
    assert share_of(release) == share


@pytest.mark.parametrize(
    ("step", "strategy", "move"),
    [
        (0, {}, Move(20, 60)),
        (1, {}, Move(60, 100)),
        (0, {"strategy": "shadow", "steps": [30]}, Move(0, 30)),
    ],
)
def test_the_move_that_is_next(step: int, strategy: dict[str, Any], move: Move) -> None:
    assert next_move(at_step(Progress(step=step, since=NOW), **strategy)) == move
    if not step:
        assert next_move(at_step(**strategy)) == move


def test_where_a_rollout_stands_says_what_is_copied_and_who_is_asked() -> None:
    shadow = at_step(Progress(since=NOW), strategy="shadow", steps=[])
    assert standing(shadow, NOW).startswith("10% of the requests mirrored")
    question = Question(share=60, asked=NOW, until=NOW + MINUTE, pull=0)
    asked = standing(BEGUN.replace(approval=question), NOW)
    assert asked == f"{standing(BEGUN, NOW)}; {waiting_text('bot', question)}"

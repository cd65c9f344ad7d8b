"""Superseded deployments are kept for a while, so that going back needs no machines."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.config_text import config_of
from tests.deciding import DESIRED, NAME, NOW, OLD, READY, at, endpoint, matches
from tuneops import actions
from tuneops.cost.room import PATIENCE, Room
from tuneops.decide import decide, look_after
from tuneops.desired import Desired
from tuneops.observed import Endpoint, Observed
from tuneops.patience import SLOW
from tuneops.phases.teardown import GOING, take_down_old
from tuneops.policy import Verdict
from tuneops.project import Project
from tuneops.provisioning import Provisioning
from tuneops.release import Phase, Release
from tuneops.rollout.question import Question
from tuneops.rollout.settings import Rollout
from tuneops.superseded import MAX_REMEMBERED, Superseded, superseding

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
WAIT = "what is superseded is kept for a while"


def wanting(extra: str = "") -> tuple[Desired, Release]:
    """A live release of a config, and what is desired just so."""
    desired = DESIRED.replace(config=config_of("bot", extra))
    return desired, at(Phase.LIVE, config=desired.config, fingerprint=desired.fingerprint)


def seen(*names: str, ago: int = 0, live: str = NAME, **changes: object) -> Observed:
    """What is live and these before it, newest first, each a minute older than the other."""
    whole = endpoint(live, *names, traffic=live)
    previous = tuple(
        Superseded(deployment=f"{whole.name}/{name}", at=NOW - (ago + place) * MINUTE)
        for place, name in enumerate(names)
    )
    observed = Observed(
        endpoint=whole,
        live_release=1,
        live_deployment=f"{whole.name}/{live}",
        previous=previous,
    )
    return replace(observed, **changes)  # type: ignore[arg-type]


TWO = "rollout: {keep_previous: 2, keep_previous_for_minutes: 30}\n"
STALE = Endpoint("old", "Succeeded", deployments=endpoint(OLD).deployments)
ELSEWHERE = (Superseded(deployment=f"old/{OLD}", at=NOW),)


@pytest.mark.parametrize(
    ("extra", "observed", "expected"),
    [
        pytest.param("", seen("d-1"), actions.Wait(WAIT, 3600), id="one-for-an-hour"),
        pytest.param("", seen("d-1", ago=60), actions.DeleteDeployment("d-1"), id="no-longer"),
        pytest.param(
            "", seen("d-2", "d-1", ago=5), actions.DeleteDeployment("d-1"), id="only-the-newest"
        ),
        pytest.param(TWO, seen("d-2", "d-1"), actions.Wait(WAIT, 29 * 60), id="two"),
        pytest.param(
            TWO, seen("d-2", "d-1", ago=29), actions.DeleteDeployment("d-1"), id="each-has-its-time"
        ),
        pytest.param(
            "rollout: {keep_previous: 0}\n",
            seen("d-1", ago=5),
            actions.DeleteDeployment("d-1"),
            id="none",
        ),
        pytest.param(
            "rollout: {keep_previous: 0}\n",
            seen("d-1", ago=1),
            actions.Wait("deployment d-1 answers its last requests", 35),
            id="its-last-requests-are-answered-first",
        ),
        pytest.param(
            "",
            replace(seen("d-1"), previous=()),
            actions.DeleteDeployment("d-1"),
            id="what-was-never-live-goes",
        ),
        pytest.param(
            "",
            replace(seen("d-1"), endpoint=endpoint(NAME, "d-1", traffic=NAME, d1="Failed")),
            actions.DeleteDeployment("d-1"),
            id="what-is-broken-goes",
        ),
        pytest.param(
            "",
            seen(stale_endpoints=(STALE,), previous=ELSEWHERE),
            actions.Wait(WAIT, 3600),
            id="behind-an-endpoint-of-an-earlier-name",
        ),
        pytest.param(
            "",
            seen(stale_endpoints=(STALE,)),
            actions.DeleteEndpoint("old"),
            id="an-endpoint-with-nothing-that-is-kept",
        ),
        pytest.param(
            "",
            seen("d-1", newest_base_model="m/2"),
            actions.ReportBaseModel("m/2"),
            id="news-do-not-wait",
        ),
    ],
)
def test_what_the_live_release_keeps(extra: str, observed: Observed, expected: object) -> None:
    desired, release = wanting(extra)
    assert decide(desired, release, observed, NOW) == expected


@pytest.mark.parametrize(
    ("provisioning", "observed", "expected"),
    [
        pytest.param(Provisioning(), seen("d-1", live=OLD), actions.CreateDeployment(), id="kept"),
        pytest.param(
            Provisioning(),
            seen("d-2", "d-1", live=OLD, ago=5),
            actions.DeleteDeployment("d-1"),
            id="beyond-the-count",
        ),
        pytest.param(
            Provisioning(cramped=True),
            seen("d-1", live=OLD, ago=5),
            actions.DeleteDeployment("d-1"),
            id="no-quota-for-both",
        ),
        pytest.param(Provisioning(), seen(NAME, live=OLD), Phase.TESTING, id="it-is-there-still"),
    ],
)
def test_before_another_deployment_is_made(
    provisioning: Provisioning, observed: Observed, expected: object
) -> None:
    release = at(Phase.DEPLOYING, number=2).replace(provisioning=provisioning)
    assert matches(decide(DESIRED, release, observed, NOW), expected)


@pytest.mark.parametrize("adopts", [None, 1])
def test_going_back_to_what_is_kept_shifts_traffic_and_deploys_nothing(adopts: int | None) -> None:
    """From the second release to the first one's deployment, as a revert or a pin."""
    desired = DESIRED.replace(adopts=adopts)
    release = at(Phase.REGISTERING, number=3, adopts=adopts, fingerprint=desired.fingerprint)
    observed = seen(NAME, live=OLD, model_registered=True)
    done: list[object] = []
    while release.phase != Phase.LIVE:
        action = decide(desired, release, observed, NOW)
        done.append(type(action))
        if isinstance(action, actions.Advance):
            release = release.advance(action.phase, NOW, action.reason)
        elif isinstance(action, actions.RunSmokeTest):
            release = release.replace(phase=Phase.SHIFTING)
        elif isinstance(action, actions.ShiftTraffic):
            shifted = endpoint(OLD, NAME, traffic=NAME)
            observed = replace(observed, endpoint=shifted)
        assert len(done) < 10
    assert actions.ShiftTraffic in done
    assert set(done) == {actions.Advance, actions.RunSmokeTest, actions.ShiftTraffic}


def test_what_was_before_is_kept_though_what_is_live_could_not_be_deployed_again() -> None:
    desired, release = wanting()
    failed = release.replace(phase=Phase.FAILED)
    observed = replace(seen("d-1"), endpoint=endpoint("d-1"))
    assert decide(desired, failed, observed, NOW) == actions.Wait(WAIT, 3600)
    assert decide(desired, failed, observed, NOW + 60 * MINUTE) == actions.DeleteDeployment("d-1")


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        pytest.param(3, actions.Wait(WAIT, 55 * 60), id="of-an-earlier-release"),
        pytest.param(1, actions.DeleteDeployment(NAME), id="made-again-by-itself"),
    ],
)
def test_what_is_kept_does_not_go_with_a_release_that_fails_to_go_back_to_it(
    number: int, expected: object
) -> None:
    desired, live = wanting()
    failed = at(Phase.FAILED, number=number, fingerprint=desired.fingerprint)
    observed = seen(NAME, live=OLD, live_release=2, ago=5)
    observed = replace(observed, live=live.replace(number=2))
    assert decide(desired, failed, observed, NOW) == expected


@pytest.mark.parametrize(
    ("endpoint_name", "ago", "expected"),
    [
        pytest.param("other", 0, actions.Wait(WAIT, 3600), id="kept"),
        pytest.param("other", 60, actions.DeleteDeployment("d-1"), id="no-longer"),
        pytest.param("", 60, actions.Idle("live"), id="the-newest-does-that"),
    ],
)
def test_what_is_kept_goes_though_the_newest_release_failed_behind_another_endpoint(
    endpoint_name: str, ago: int, expected: object
) -> None:
    _, live = wanting()
    extra = f"endpoint: {{name: {endpoint_name}}}\n" if endpoint_name else ""
    desired = DESIRED.replace(config=config_of("bot", extra))
    assert look_after(desired, live, seen("d-1", ago=ago), NOW) == expected


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        pytest.param(Room(lack="no room"), actions.DeleteDeployment("d-1"), id="no-room"),
        pytest.param(
            Room(lack="who knows", known=False),
            actions.Wait("who knows", patience=PATIENCE, about="room"),
            id="not-known",
        ),
    ],
)
def test_what_is_kept_makes_room_below_the_limit_of_costs(room: Room, expected: object) -> None:
    observed = replace(seen("d-1", live=OLD, ago=5), verdict=Verdict(room=room))
    action = decide(DESIRED, at(Phase.DEPLOYING, number=2), observed, NOW)
    assert action == expected


@pytest.mark.parametrize(
    ("minutes", "share", "expected"),
    [
        pytest.param(0, 0, actions.Wait, id="kept"),
        pytest.param(60, 0, actions.DeleteDeployment("d-1"), id="no-longer"),
        pytest.param(60, 5, actions.ShareTraffic, id="not-while-traffic-may-have-to-go-back"),
    ],
)
def test_what_is_kept_goes_in_its_time_though_somebody_is_asked_for_a_day(
    minutes: int, share: int, expected: object
) -> None:
    desired = DESIRED.replace(config=config_of("bot", "rollout: {approval: {}}\n"))
    release = at(Phase.SHIFTING, config=desired.config, fingerprint=desired.fingerprint, number=2)
    release = release.replace(approval=Question(share=100, asked=NOW, until=NOW + DAY, pull=0))
    observed = seen("d-1", NAME, live=OLD)
    observed = replace(observed, previous=observed.previous[:1])
    assert observed.endpoint is not None
    traffic = {OLD: 100 - share, NAME: share}
    observed = replace(observed, endpoint=replace(observed.endpoint, traffic=traffic))
    action = decide(desired, release, observed, NOW + minutes * MINUTE)
    assert matches(action, expected), action
    if isinstance(action, actions.Wait):
        assert action.seconds == 3600


def test_a_project_remembers_what_was_live() -> None:
    project, released = Project(name="bot"), [READY.replace(number=n) for n in (1, 2, 3)]
    sizes = ("Standard_A", "Standard_B", "Standard_A")
    for release, size in zip(released, sizes, strict=True):
        served = release.replace(provisioning=Provisioning(preferred=size))
        for _ in range(2):
            project = project.promote(served, NOW + release.number * MINUTE)
    first, second = (READY.deployment_name_on(size) for size in sizes[:2])
    assert project.live_deployment == f"{READY.endpoint}/{first}"
    assert project.previous == (
        Superseded(deployment=f"{READY.endpoint}/{second}", at=NOW + 3 * MINUTE),
    )


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=20))
def test_what_was_live_is_remembered_once_and_the_newest_first(history: list[str]) -> None:
    previous: tuple[Superseded, ...] = ()
    before = ""
    for minute, name in enumerate(history):
        previous = superseding(previous, before, name, NOW + minute * MINUTE)
        before = name
    expected = [name for name in dict.fromkeys(reversed(history)) if name != before]
    assert [each.deployment for each in previous] == expected[:MAX_REMEMBERED]


def test_the_earlier_name_of_the_time_is_read_and_its_default_is_none() -> None:
    assert Rollout.model_validate({"keep_previous_minutes": 0}) == Rollout()
    named = Rollout.model_validate({"keep_previous_minutes": 5})
    assert named == Rollout(keep_previous_for_minutes=5)
    stored = DESIRED.model_dump(mode="json")
    stored["config"]["rollout"] = {"keep_previous_minutes": 0}
    assert Desired.model_validate(stored).fingerprint == DESIRED.fingerprint


def test_what_an_earlier_version_called_otherwise_begins_no_release() -> None:
    desired, release = wanting("rollout: {keep_previous_for_minutes: 5}\n")
    stored = release.replace(fingerprint="as the earlier version had it")
    assert decide(desired, stored, seen(), NOW) == actions.Idle("live")
    other, _ = wanting("rollout: {keep_previous_for_minutes: 6}\n")
    assert decide(other, stored, seen(), NOW) == actions.StartRelease()


def test_what_was_never_live_is_left_to_the_newest_release() -> None:
    _, live = wanting()
    desired = DESIRED.replace(config=config_of("bot", "endpoint: {name: other}\n"))
    observed = seen("d-1", ago=60)
    assert look_after(desired, live, observed, NOW) == actions.DeleteDeployment("d-1")
    assert look_after(desired, live, replace(observed, previous=()), NOW) == actions.Idle("live")


OF_BEFORE = Endpoint(
    "old",
    "Succeeded",
    traffic={"d-live": 100},
    deployments=endpoint("d-live", "d-a").deployments,
)
GOING_AWAY = replace(OF_BEFORE, deployments=endpoint("d-live", "d-a", d1="Deleting").deployments)
HERE, THERE = f"{READY.endpoint}/{NAME}", "old/d-live"


@pytest.mark.parametrize(
    ("old", "live", "spared", "expected"),
    [
        pytest.param(OF_BEFORE, HERE, {}, actions.DeleteEndpoint("old"), id="nothing-needs-it"),
        pytest.param(OF_BEFORE, HERE, {"old/d-a": NOW, THERE: NOW}, None, id="all-of-it-is-kept"),
        pytest.param(
            OF_BEFORE, THERE, {}, actions.DeleteDeployment("d-a", "old"), id="what-is-live-stays"
        ),
        pytest.param(OF_BEFORE, THERE, {"old/d-a": NOW}, None, id="so-does-what-is-kept"),
        pytest.param(GOING_AWAY, THERE, {}, actions.Wait(GOING, patience=SLOW), id="it-is-going"),
        pytest.param(OF_BEFORE, "", {}, None, id="who-knows-where-what-is-live-is"),
        pytest.param(
            replace(OF_BEFORE, ours=False, tags={"tuneops.project": "other"}),
            HERE,
            {},
            None,
            id="somebody-else's",
        ),
    ],
)
def test_what_goes_behind_an_endpoint_of_an_earlier_name(
    old: Endpoint, live: str, spared: dict[str, datetime], expected: object
) -> None:
    observed = Observed(
        endpoint=endpoint(NAME), live_release=1, live_deployment=live, stale_endpoints=(old,)
    )
    assert take_down_old(at(Phase.LIVE), observed, spared) == expected

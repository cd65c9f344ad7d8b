"""What is behind endpoints of earlier names: it goes when it is wanted no more, or in the way."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.deciding import DESIRED, NAME, NOW, OLD, READY, at, endpoint, matches
from tuneops import actions
from tuneops.cost.room import Room
from tuneops.decide import decide
from tuneops.observed import Deployment, Endpoint, Observed, Scaling
from tuneops.policy import Verdict
from tuneops.provisioning import Provisioning
from tuneops.release import Phase, Release
from tuneops.superseded import Superseded

OWN = READY.endpoint
LIVE = Endpoint(
    "old",
    "Succeeded",
    traffic={OLD: 100},
    deployments=(Deployment(OLD, "Succeeded", "1"), Deployment("d-1", "Succeeded", "1")),
)
ALONE = replace(LIVE, deployments=LIVE.deployments[:1])
OLDER = Endpoint(
    "older", "Succeeded", traffic={"d-1": 100}, deployments=(Deployment("d-1", "Succeeded", "1"),)
)
FOREIGN = replace(OLDER, ours=False, tags={"tuneops.project": "another"})
BACK = replace(endpoint("d-1", traffic="d-1"), name=OWN)
"""The release's own endpoint, when it has an earlier name again."""
FAILED = Deployment(NAME, "Failed", "2", error="OutOfQuota: none", lacking=True)
BEFORE = at(Phase.LIVE)
CRAMPED, PLAIN = Provisioning(cramped=True), Provisioning()


def seen(*stale: Endpoint, own: Endpoint | None = None, **changes: Any) -> Observed:
    """Live is OLD behind the endpoint `old`, and the release is to be behind another one."""
    observed = Observed(
        endpoint=own or endpoint(),
        stale_endpoints=stale,
        live_release=1,
        live=BEFORE,
        live_deployment=f"old/{OLD}",
    )
    return replace(observed, **changes)


def kept(name: str, minutes: int = 1) -> dict[str, Any]:
    at = NOW - timedelta(minutes=minutes)
    return {"previous": (Superseded(deployment=name, at=at),)}


NONE: dict[str, Any] = {"endpoint": None}
LACK = {"verdict": Verdict(room=Room(lack="too much"))}


@pytest.mark.parametrize(
    ("provisioning", "observed", "expected"),
    [
        pytest.param(CRAMPED, seen(OLDER), actions.DeleteEndpoint("older"), id="no-quota"),
        pytest.param(
            CRAMPED, seen(LIVE), actions.DeleteDeployment("d-1", "old"), id="beside-what-is-live"
        ),
        pytest.param(PLAIN, seen(OLDER, **LACK), actions.DeleteEndpoint("older"), id="no-room"),
        pytest.param(
            PLAIN,
            seen(OLDER, **LACK, **kept("older/d-1")),
            actions.DeleteEndpoint("older"),
            id="no-room-for-what-is-kept",
        ),
        pytest.param(
            CRAMPED, seen(ALONE, own=BACK), actions.DeleteEndpoint(OWN), id="the-name-is-back"
        ),
        pytest.param(PLAIN, seen(OLDER), actions.CreateDeployment(), id="it-is-not-in-the-way"),
        pytest.param(CRAMPED, seen(ALONE), actions.CreateDeployment(), id="what-is-live-stays"),
        pytest.param(CRAMPED, seen(FOREIGN), actions.CreateDeployment(), id="somebody-else's"),
        pytest.param(
            CRAMPED,
            seen(OLDER, live_deployment=""),
            actions.CreateDeployment(),
            id="it-is-not-known-what-is-live",
        ),
        pytest.param(
            CRAMPED, seen(replace(OLDER, state="Deleting")), actions.Wait, id="it-is-going"
        ),
        pytest.param(
            PLAIN,
            seen(OLDER, own=replace(endpoint(), deployments=(FAILED,))),
            actions.MakeRoom(),
            id="it-may-have-the-machines",
        ),
        pytest.param(
            PLAIN,
            seen(ALONE, own=replace(endpoint(), deployments=(FAILED,))),
            actions.LackMachines("OutOfQuota: none"),
            id="nothing-has-the-machines",
        ),
    ],
)
def test_what_makes_room(provisioning: Provisioning, observed: Observed, expected: object) -> None:
    release = at(Phase.DEPLOYING, number=2).replace(provisioning=provisioning)
    assert matches(decide(DESIRED, release, observed, NOW), expected)


def failed(**changes: Any) -> Release:
    return at(Phase.FAILED, number=2, **changes)


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        pytest.param(seen(OLDER), actions.DeleteEndpoint("older"), id="superseded"),
        pytest.param(seen(LIVE), actions.DeleteDeployment("d-1", "old"), id="beside-what-is-live"),
        pytest.param(seen(OLDER, **NONE, **kept("older/d-1")), actions.Wait, id="kept"),
        pytest.param(
            seen(LIVE, **NONE, **kept("old/d-1")), actions.Wait, id="kept-beside-what-is-live"
        ),
        pytest.param(
            seen(ALONE, own=BACK, **kept(f"{OWN}/d-1")), actions.Wait, id="kept-with-traffic"
        ),
        pytest.param(seen(ALONE, own=BACK), actions.DeleteEndpoint(OWN), id="the-name-is-back"),
        pytest.param(seen(ALONE, **NONE), actions.Idle, id="what-is-live-stays"),
        pytest.param(
            seen(ALONE), actions.DeleteEndpoint(endpoint().name), id="nothing-came-behind-its-own"
        ),
        pytest.param(
            seen(replace(ALONE, deployments=()), own=BACK), actions.Idle, id="nothing-else-serves"
        ),
        pytest.param(seen(FOREIGN, **NONE), actions.Idle, id="somebody-else's"),
        pytest.param(
            seen(OLDER, own=endpoint(NAME)), actions.DeleteDeployment(NAME), id="its-own-goes-first"
        ),
        pytest.param(
            seen(ALONE, **NONE, scalings=(Scaling("gone", OLD), Scaling("old", OLD))),
            actions.DeleteAutoscale("gone", OLD),
            id="a-setting-is-left",
        ),
    ],
)
def test_a_release_that_failed_leaves_nothing_behind(observed: Observed, expected: object) -> None:
    assert matches(decide(DESIRED, failed(), observed, NOW), expected)


def test_a_live_release_clears_away_settings_behind_all_names() -> None:
    observed = seen(
        own=endpoint(NAME, traffic=NAME),
        live_deployment=f"{OWN}/{NAME}",
        scalings=(Scaling("older", NAME),),
    )
    assert decide(DESIRED, BEFORE, observed, NOW) == actions.DeleteAutoscale("older", NAME)

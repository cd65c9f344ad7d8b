"""What had traffic a moment ago may still answer requests when it is to be deleted."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.deciding import BEGUN, NAME, NOW, OLD, READY, at, endpoint
from tests.planned import come_to
from tuneops import actions
from tuneops.observed import Deployment, Observed
from tuneops.phases.draining import LONGEST, MARGIN, drain
from tuneops.release import Phase, Release
from tuneops.superseded import Superseded

LAST = LONGEST + MARGIN
DELETES = actions.DeleteDeployment(OLD)
THERE = Observed(endpoint=endpoint(NAME, OLD, traffic=NAME))
SECOND = timedelta(seconds=1)
SHIFTED = come_to(READY, Phase.SHIFTING, NOW - SECOND)


def served(**changes: object) -> Observed:
    """`OLD` was live until now."""
    old = replace(Deployment(OLD, "Succeeded", "1"), **changes)
    here = replace(endpoint(NAME, traffic=NAME), deployments=(Deployment(NAME, "x", "1"), old))
    was = Superseded(deployment=f"{here.name}/{OLD}", at=NOW)
    return Observed(endpoint=here, previous=(was,))


@pytest.mark.parametrize(
    ("deletes", "release", "observed", "from_then_on"),
    [
        pytest.param(DELETES, at(Phase.LIVE), served(), NOW + LAST, id="was-live"),
        pytest.param(
            DELETES,
            at(Phase.LIVE),
            served(settings={"request_settings.request_timeout_ms": "5000"}),
            NOW + 5 * SECOND + MARGIN,
            id="by-its-own-settings",
        ),
        pytest.param(DELETES, at(Phase.LIVE), THERE, BEGUN + LAST, id="before-the-release-began"),
        pytest.param(DELETES, at(Phase.LIVE), served(state="Failed"), NOW, id="answers-nothing"),
        pytest.param(
            actions.DeleteDeployment(NAME),
            come_to(SHIFTED, Phase.FAILED, NOW),
            THERE,
            NOW + LAST,
            id="a-failed-rollout",
        ),
        pytest.param(
            actions.DeleteDeployment(NAME), at(Phase.FAILED), THERE, NOW, id="had-no-traffic-ever"
        ),
        pytest.param(DELETES, at(Phase.LIVE), Observed(), NOW, id="gone"),
        pytest.param(
            actions.DeleteDeployment(OLD, "earlier"),
            at(Phase.LIVE),
            replace(
                THERE,
                stale_endpoints=(replace(endpoint(OLD), name="earlier"),),
                previous=(Superseded(deployment=f"earlier/{OLD}", at=NOW),),
            ),
            NOW + LAST,
            id="behind-an-endpoint-of-an-earlier-name",
        ),
    ],
)
def test_the_last_requests_are_answered(
    deletes: actions.DeleteDeployment, release: Release, observed: Observed, from_then_on: datetime
) -> None:
    assert drain(deletes, release, observed, max(from_then_on, NOW)) is None
    if from_then_on > NOW:
        wait = drain(deletes, release, observed, from_then_on - SECOND)
        assert wait == actions.Wait(f"deployment {deletes.name} answers its last requests", 1)

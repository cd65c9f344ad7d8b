"""What the projects of a round go through. Each has releases that end well and ones that must not."""

from collections.abc import Callable
from typing import Any

from tests.chaos.team import Team
from tests.cloud import QUICK, jsonl, some_rows
from tuneops.release import Phase, Release

OTHER, FIRST = "Standard_NC24ads_A100_v4", "Standard_NC40ads_H100_v5"
RETRAINED = {"parameters": {**QUICK, "max_steps": 3}}
KEPT = {"keep_previous": 1}
STRICT = {"thresholds": {"eval_loss": {"max": 0.0}}}


def grows(team: Team) -> None:
    """Uploads and merges, one after another: each makes a release."""
    team.merge()
    team.upload()
    team.lives(1)
    team.upload(some_rows(30), "more.jsonl")
    team.lives(2)
    team.merge(deployment={"instance_count": 2})
    team.lives(3)


def goes_bad(team: Team) -> None:
    """A model that does not pass, and data that is none: both fail and say why."""
    team.merge()
    team.upload()
    team.lives(1)
    team.merge(training=RETRAINED, evaluation=STRICT)
    team.fails(2, ", above 0")
    team.upload(b'{"messages": []}\nnonsense\n', "bad.jsonl")
    team.fails(3, "bad.jsonl has no valid row")


def breaks_down(team: Team) -> None:
    """A job that fails in Azure, and is tried again by hand."""
    team.faults.ask("job", "fail", f"{team.name}-*", message="The node was lost in the flood.")
    team.merge()
    team.upload()
    team.fails(1, "The node was lost in the flood.")
    team.order("retry")
    team.lives(2)


def is_silent(team: Team) -> None:
    """A job of which no event tells."""
    team.faults.ask("job", "silent", f"{team.name}-*")
    team.merge()
    team.upload()
    team.lives(1)


def changes_its_mind(team: Team) -> None:
    """A job that would never end makes way for what is merged meanwhile."""
    team.faults.ask("job", "hang", f"{team.name}-*")
    team.merge()
    team.upload()
    team.comes_to(1, _trains, "training")
    team.merge(training=RETRAINED, in_flight="cancel")
    team.is_superseded(1)
    team.lives(2)


def is_pinned(team: Team) -> None:
    """People go back to the first release in a hurry; git agrees later."""
    team.merge(rollout=KEPT)
    team.upload()
    team.lives(1)
    team.merge(rollout=KEPT, deployment={"instance_count": 2})
    team.lives(2)
    team.order("rollback", action="pin", to=1, reason="in a hurry")
    team.lives(3)
    team.merge(rollout=KEPT)
    team.until(lambda: (found := team.project()) is not None and found.pin is None, "unpinned")


def has_machines_of_its_own(team: Team) -> None:
    """A cluster that is made, changed, and let go at the end; a deployment that is scaled."""
    size = {"size": OTHER, "max_nodes": 1}
    own = {"name": f"{team.name}-own"}
    scaled = {"autoscale": {"max": 2}}
    team.merge(compute={**own, "cluster": size}, deployment=scaled)
    team.upload()
    team.lives(1)
    larger = {**size, "max_nodes": 2}
    team.merge(compute={**own, "cluster": larger}, training=RETRAINED, deployment=scaled)
    team.lives(2)


def lacks_machines(team: Team) -> None:
    """There are none of the first type, and the first deployment of the other one breaks."""
    none_left = {"status": 400, "code": "OutOfQuota", "message": "None left."}
    target = f"PUT /onlineEndpoints/{team.name}-*/deployments/*"
    team.faults.ask("call", "fail", target, times=2, **none_left)
    machines = {"instance_type": FIRST, "alternative_instance_types": [OTHER]}
    team.merge(deployment=machines)
    team.upload()
    team.lives(1)


def _trains(release: Release) -> bool:
    return release.phase == Phase.TRAINING


Story = Callable[[Team], None]
STORIES: dict[str, Story] = {
    "grows": grows,
    "bad": goes_bad,
    "breaks": breaks_down,
    "silent": is_silent,
    "mind": changes_its_mind,
    "pinned": is_pinned,
    "own": has_machines_of_its_own,
    "lacks": lacks_machines,
}


_BASE = {
    "StartRelease", "PrepareData", "RegisterData", "PlanTraining", "SubmitJob", "ReadMetrics",
    "KeepChecks", "RegisterModel", "CreateEndpoint", "CreateDeployment", "RunSmokeTest",
    "ShiftTraffic", "PromoteRelease", "Advance", "ReserveCost",
}
EFFECTS: dict[str, set[str]] = {name: _BASE for name in STORIES}

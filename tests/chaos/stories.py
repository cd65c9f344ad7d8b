"""What the projects of a round go through; how each of their releases has to end is known."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.chaos.team import Team
from tests.cloud import QUICK, some_rows
from tuneops.release import Phase

OTHER, FIRST = "Standard_NC24ads_A100_v4", "Standard_NC40ads_H100_v5"
RETRAINED = {"parameters": {**QUICK, "max_steps": 3}}
KEPT = {"keep_previous": 1}
STRICT = {"thresholds": {"eval_loss": {"max": 0.0}}}
LARGE = 400
"""So many rows are more than a function prepares itself."""
SET = {"name": "any answer", "path": "sets/any.jsonl", "score": "regex", "min_score": 1}
ASKS = {"sets": [SET], "min_rows": 3, "max_new_tokens": 8}
CANARY: dict[str, Any] = {"strategy": "canary", "steps": [20], "pause_minutes": 0.05}
NO_QUOTA = {"code": "OutOfQuota", "message": "None left."}
TWICE = {"instance_count": 2}


def grows(team: Team) -> None:
    """Uploads and merges, one after another: each makes a release."""
    team.merge()
    team.upload()
    team.lives(1)
    team.upload(some_rows(30), "more.jsonl")
    team.lives(2)
    team.merge(deployment=TWICE, endpoint={"tags": {"cost": "center"}})
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
    said = "The node was lost in the flood."
    team.faults.ask("job", "fail", f"{team.name}-*", message=said)
    team.merge()
    team.upload()
    team.fails(1, said)
    team.order("retry")
    team.lives(2)


def is_silent(team: Team) -> None:
    """A job of which no event tells, nor an answer; and a deployment that breaks at first."""
    team.faults.ask("call", "drop", f"PUT /jobs/{team.name}-*", times=3)
    team.faults.ask("job", "silent", f"{team.name}-*")
    team.faults.ask("deployment", "fail", f"{team.name}-*/*")
    team.merge()
    team.upload()
    team.lives(1)


def changes_its_mind(team: Team) -> None:
    """Jobs that would never end make way for what is merged meanwhile, twice."""
    team.faults.ask("job", "hang", f"{team.name}-*", times=2)
    team.merge()
    team.upload()
    for number, steps in enumerate((3, 5), 1):
        team.comes_to(number, lambda release: release.phase == Phase.TRAINING, "training")
        team.until(lambda: _runs(team), "run")
        team.merge(training={"parameters": {**QUICK, "max_steps": steps}})
        team.is_superseded(number)
    team.lives(3)


def is_pinned(team: Team) -> None:
    """There are no machines of the first type at first; later people go back in a hurry."""
    team.faults.ask("deployment", "fail", f"{team.name}-*/*", **NO_QUOTA)
    machines = {"instance_type": FIRST, "alternative_instance_types": [OTHER]}
    team.merge(rollout=KEPT, deployment=machines)
    team.upload()
    team.lives(1)
    team.merge(rollout=KEPT, deployment={**machines, **TWICE})
    team.lives(2)
    team.order("rollback", action="pin", to=1, reason="in a hurry")
    team.lives(3)
    team.merge(rollout=KEPT, deployment=machines)
    team.until(lambda: (found := team.project()) is not None and found.pin is None, "unpinned")


def lacks_quota(team: Team) -> None:
    """There is none while what was live before is kept: it makes room."""
    team.merge(rollout=KEPT)
    team.upload()
    team.lives(1)
    team.merge(rollout=KEPT, deployment=TWICE)
    team.lives(2)
    team.faults.ask("deployment", "fail", f"{team.name}-*/*", **NO_QUOTA)
    team.merge(rollout=KEPT, deployment={"instance_count": 3})
    team.lives(3)


def has_machines_of_its_own(team: Team) -> None:
    """A cluster that is made, changed, and let go at the end; deployments that are scaled.

    Somebody deletes the one that was live before by hand, and leaves its autoscale setting.
    """
    size = {"size": OTHER, "min_instances": 1, "max_instances": 1}
    own = {"name": f"{team.name}-own"}
    scaled = {"autoscale": {"max": 2}}
    served = {"deployment": scaled, "rollout": KEPT}
    team.merge(compute={**own, "cluster": size}, **served)
    team.upload()
    before = team.lives(1)
    larger = {**size, "max_instances": 2}
    team.merge(compute={**own, "cluster": larger}, training=RETRAINED, **served)
    team.lives(2)
    team.delete_by_hand(before)


def has_much_data(team: Team) -> None:
    """A job prepares the data; it fails, and is tried again by hand."""
    said = "The node ran out of disk."
    team.faults.ask("job", "fail", f"{team.name}-*", message=said)
    team.merge()
    team.upload(some_rows(LARGE))
    team.fails(1, said)
    team.order("retry")
    team.lives(2)


def goes_step_by_step(team: Team) -> None:
    """Nobody asks the endpoint: a rollout is given up, the next held until somebody says go."""
    team.upload_set()
    team.merge(behaviour=ASKS)
    team.upload()
    team.lives(1)
    given_up = {**CANARY, "wait_for_traffic_minutes": 0, "on_insufficient_traffic": "abort"}
    team.merge(behaviour=ASKS, rollout={**given_up, "keep_previous": 0}, training=RETRAINED)
    team.fails(2, "rollout: not clear after")
    held = {**given_up, "on_insufficient_traffic": "hold", "keep_previous": 0}
    team.merge(behaviour=ASKS, rollout=held, training=RETRAINED)
    team.comes_to(3, lambda release: release.approval is not None, "asking")
    team.order("approve", release=3)
    team.lives(3)


def asks_people(team: Team) -> None:
    """A release that waits for a person, longer than it should, until a comment says yes."""
    asks = {"before": "traffic", "timeout_minutes": 0.05, "on_timeout": "hold"}
    pull = team.merge_by_pull(rollout={"approval": asks, "keep_previous": 0})
    team.upload()
    team.comes_to(1, lambda release: "was not approved" in release.reason, "overdue")
    team.comment(pull, "/tuneops approve 1")
    team.lives(1)


def drifts(team: Team) -> None:
    """Somebody takes the traffic of what is live away by hand."""
    team.merge()
    team.upload()
    release = team.lives(1)
    team.take_traffic(release)
    team.comes_to(1, lambda release: bool(release.drift), "drifted")
    team.comes_to(1, lambda release: release.drift is None, "healed")


def _runs(team: Team) -> bool:
    return any(job.status == "Running" for job in team.jobs())


@dataclass(frozen=True)
class Story:
    """What a project goes through, and the effects that this meets beside `COMMON`."""

    tell: Callable[[Team], None]
    meets: frozenset[str] = frozenset()


COMMON = frozenset(
    [
        "StartRelease",
        "PrepareData",
        "RegisterData",
        "PlanTraining",
        "SubmitJob",
        "ReadMetrics",
        "KeepChecks",
        "RegisterModel",
        "CreateEndpoint",
        "ReserveCost",
        "CreateDeployment",
        "RunSmokeTest",
        "ShiftTraffic",
        "PromoteRelease",
        "Advance",
        "DeleteEndpoint",
    ]
)


def _story(tell: Callable[[Team], None], meets: str = "") -> Story:
    return Story(tell, frozenset(meets.split()))


STORIES: dict[str, Story] = {
    "grows": _story(grows, "UpdateEndpoint DeleteDeployment"),
    "bad": _story(goes_bad, "Fail"),
    "breaks": _story(breaks_down, "Fail NextAttempt"),
    "silent": _story(is_silent, "NoteSubmission NoteFailure RepairDeployment"),
    "mind": _story(changes_its_mind, "CancelJob"),
    "pinned": _story(is_pinned, "AdoptModel LackMachines PreferInstanceType"),
    "quota": _story(lacks_quota, "MakeRoom DeleteDeployment"),
    "own": _story(
        has_machines_of_its_own,
        "CreateCluster ScaleCluster ReleaseNodes SetAutoscale DeleteAutoscale",
    ),
    "much": _story(has_much_data, "SubmitDataJob NextDataAttempt"),
    "steps": _story(
        goes_step_by_step,
        "ReadSets BeginSets AskSets KeepComparisons ShareTraffic BeginStep ReadFigures NextStep "
        "Hold Abort AskPeople TakeAnswer",
    ),
    "asks": _story(asks_people, "AskPeople LookForAnswers TellOverdue TakeAnswer"),
    "drifts": _story(drifts, "NoteDrift Heal EndDrift"),
}
NOT_MET = {
    "RepairEndpoint": "the local workspace never fails at an endpoint",
    "ReportBaseModel": "the local registry has one version of the base model",
}
"""Effects that no story meets; the simulator crashes around them (tests/simulation)."""

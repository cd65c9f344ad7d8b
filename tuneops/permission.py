"""Holding back what the policy does not allow. Pure."""

from datetime import datetime, timedelta

from tuneops.actions import (
    Action,
    AdoptModel,
    Advance,
    CreateCluster,
    CreateDeployment,
    CreateEndpoint,
    Fail,
    PrepareData,
    RepairDeployment,
    ScaleCluster,
    SetAutoscale,
    StartRelease,
    SubmitDataJob,
    SubmitJob,
    Wait,
)
from tuneops.cost.room import await_room
from tuneops.policy import Freeze, Verdict
from tuneops.release import Phase

_BEGINS = (StartRelease, SubmitDataJob, CreateCluster, SubmitJob)
_COSTS = (
    AdoptModel,
    PrepareData,
    SubmitDataJob,
    CreateCluster,
    ScaleCluster,
    SubmitJob,
    CreateDeployment,
    RepairDeployment,
    SetAutoscale,
)


def permitted(action: Action, verdict: Verdict, now: datetime) -> Action:
    """The action, or the end of the release that may not be, or the wait for the end of a freeze.

    A release that adopts a job is held back when it would begin to look at it. People are told at
    once of a release that a freeze stops on its way. A deployment is created, or may grow, once it
    has its room below the limit of costs.
    """
    adopts = isinstance(action, Advance) and action.phase == Phase.TRAINING
    ahead = isinstance(action, CreateEndpoint) and action.ahead
    if verdict.violations and (adopts or ahead or isinstance(action, _COSTS)):
        said = "; ".join(verdict.violations)
        return Fail(f"the policy does not allow it: {said}", by_policy=True)
    if verdict.freeze and (ahead or isinstance(action, _BEGINS)):
        begun = not isinstance(action, StartRelease)
        return thaw(verdict.freeze, now, timedelta(0) if begun else None)
    if verdict.room and isinstance(action, CreateDeployment | SetAutoscale):
        return await_room(verdict.room) or action
    return action


def thaw(freeze: Freeze, now: datetime, patience: timedelta | None = None) -> Wait:
    """The wait for the end of a freeze."""
    return Wait(str(freeze), (freeze.until - now).total_seconds(), patience)

"""A deployment that is not there yet, or that Azure failed at. Pure.

Quota and capacity may be there for another instance type; what is transient is tried again, later
and later; anything else is for a person to mend.
"""

from datetime import datetime, timedelta

from tuneops.actions import (
    Action,
    CreateDeployment,
    DeleteDeployment,
    Fail,
    LackMachines,
    MakeRoom,
    NoteFailure,
    PreferInstanceType,
    RepairDeployment,
    Wait,
)
from tuneops.observed import SUCCEEDED, Deployment, Endpoint, Observed
from tuneops.patience import SLOW
from tuneops.phases import keeping
from tuneops.phases.teardown import GOING, take_down_old
from tuneops.release import Release

MAX_RETRIES = 4
FIRST_PAUSE = timedelta(minutes=1)
"""Before the first retry; twice as long before each further one."""
MORE_QUOTA = (
    "ask for more quota, or choose a smaller deployment.instance_type, fewer instances or other "
    "deployment.alternative_instance_types"
)


def begin(release: Release, observed: Observed, endpoint: Endpoint, now: datetime) -> Action:
    """There is no deployment on the instance type that is in use: take another's, or create it."""
    if there := _there(release, observed, endpoint):
        return PreferInstanceType(there)
    return _make_room(release, observed, now) or CreateDeployment()


def _make_room(release: Release, observed: Observed, now: datetime) -> Action | None:
    """Before a deployment is added, those without traffic go: they take quota for nothing.

    What is live stays, whoever took its traffic away: the new one may fail. So does what is kept,
    as long as there is quota for the new one beside it, and room below the limit of costs. Without
    that, what stands behind endpoints of earlier names goes as well.
    """
    room = observed.verdict.room
    cramped = release.provisioning.cramped or (room is not None and room.is_full)
    spared = {} if cramped else keeping.kept(release.config.rollout, observed, now)
    going = keeping.dispensable(observed, spared)
    for deployment in going:
        if deployment.settled:
            return DeleteDeployment(deployment.name)
    if going:
        return Wait(GOING, patience=SLOW)
    return take_down_old(release, observed, spared) if cramped else None


def again(release: Release, deployment: Deployment, now: datetime) -> Action:
    """Begin what has failed again when its time has come, some times."""
    if release.repairs >= MAX_RETRIES:
        return Fail(failure(deployment))
    seen = release.provisioning.failed_at
    if seen is None:
        return NoteFailure()
    due = seen + FIRST_PAUSE * 2**release.repairs
    if now >= due:
        return RepairDeployment()
    return Wait(f"{failure(deployment)}; it is tried again", (due - now).total_seconds())


def elsewhere(release: Release, deployment: Deployment, observed: Observed) -> Action:
    """There were no machines: superseded deployments make room, then the next type is tried.

    What has failed goes before them, so that it is seen to be tried once more when they have gone.
    """
    others = [other for other in observed.dispensable if other.name != deployment.name]
    if others or take_down_old(release, observed, {}):
        cramped = release.provisioning.cramped
        return DeleteDeployment(deployment.name) if cramped else MakeRoom()
    return LackMachines(deployment.error)


def failure(deployment: Deployment) -> str:
    """That a deployment has failed, and why."""
    advice = f" ({MORE_QUOTA})" if deployment.lacking else ""
    return f"deployment {deployment.name} failed: {deployment.error or 'no reason given'}{advice}"


def shortages(release: Release) -> str:
    """Which instance types were not to be had, why, and what to do."""
    lacking = release.provisioning.lacking
    if len(lacking) == 1:
        (only,) = lacking
        return f"deployment {release.deployment_name} failed: {only.reason} ({MORE_QUOTA})"
    each = "; ".join(f"{short.instance_type}: {short.reason}" for short in lacking)
    return f"there are no machines for the deployment: {each} ({MORE_QUOTA})"


def _there(release: Release, observed: Observed, endpoint: Endpoint) -> str:
    """An instance type on which the release's deployment is ready, empty if there is none.

    So going back needs no machines. What is live counts for a pin alone: another release tries
    first what the config wants first.
    """
    for instance_type in release.instance_types_left:
        found = endpoint.deployment(release.deployment_name_on(instance_type))
        if found is None or found.state != SUCCEEDED or not found.release:
            continue
        live = f"{endpoint.name}/{found.name}" == observed.live_deployment
        if release.adopts is not None or not live:
            return instance_type
    return ""

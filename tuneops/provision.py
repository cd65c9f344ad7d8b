"""The effects on a release's deployment until it is ready, and what is noted of them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from tuneops import actions
from tuneops.azureml import autoscale, endpoints
from tuneops.azureml.errors import NoMachinesError
from tuneops.release import Release
from tuneops.services import Services


def create(
    action: actions.CreateDeployment, release: Release, s: Services, now: datetime
) -> Release:
    """Begin creating the deployment."""
    return _begin(release, s)


def repair(
    action: actions.RepairDeployment, release: Release, s: Services, now: datetime
) -> Release:
    """Begin what has failed again."""
    provisioning = release.provisioning.replace(failed_at=None)
    tried = release.replace(repairs=release.repairs + 1, provisioning=provisioning)
    return _begin(tried, s)


def _begin(release: Release, s: Services) -> Release:
    """Begin creating the deployment; that there are no machines for it can be said at once.

    The first time what superseded deployments take may be to blame, so they make room.
    """
    try:
        endpoints.begin_deploy(s.workspace, release)
    except NoMachinesError as error:
        return _lacks(release, str(error)) if release.provisioning.cramped else _cramped(release)
    return release


def note_failure(action: Any, release: Release, s: Services, now: datetime) -> Release:
    """Note when the deployment was seen to have failed."""
    return release.replace(provisioning=release.provisioning.replace(failed_at=now))


def make_room(action: Any, release: Release, s: Services, now: datetime) -> Release:
    """Note that superseded deployments are not kept."""
    return _cramped(release)


def lack_machines(
    action: actions.LackMachines, release: Release, s: Services, now: datetime
) -> Release:
    """Note that the instance type in use is not to be had."""
    return _lacks(release, action.reason)


def prefer(
    action: actions.PreferInstanceType, release: Release, s: Services, now: datetime
) -> Release:
    """Note on which instance type there is a deployment already."""
    provisioning = release.provisioning.replace(preferred=action.instance_type)
    return release.replace(provisioning=provisioning)


def scale(action: Any, release: Release, s: Services, now: datetime) -> Release:
    """Give the deployment the autoscale setting of the config, or take it away."""
    if release.deployment.autoscale:
        autoscale.put(s.workspace, release)
    else:
        autoscale.delete(s.workspace, release.endpoint, release.deployment_name)
    scalings = release.provisioning.scalings + 1
    return release.replace(provisioning=release.provisioning.replace(scalings=scalings))


def delete_scale(
    action: actions.DeleteAutoscale, release: Release, s: Services, now: datetime
) -> Release:
    """Delete the autoscale setting of a deployment that has gone."""
    autoscale.delete(s.workspace, action.endpoint, action.deployment)
    return release


def delete_scales(release: Release, endpoint: str, s: Services) -> None:
    """Delete the autoscale settings of all that is behind an endpoint."""
    if release.autoscaled:
        for each in autoscale.observe(s.workspace, [endpoint], release.project):
            autoscale.delete(s.workspace, endpoint, each.deployment)


def _cramped(release: Release) -> Release:
    return release.replace(provisioning=release.provisioning.replace(cramped=True))


def _lacks(release: Release, reason: str) -> Release:
    provisioning = release.provisioning.lacks(release.instance_type, reason)
    return release.replace(repairs=0, provisioning=provisioning)


EFFECTS: dict[type, Callable[[Any, Release, Services, datetime], Release]] = {
    actions.CreateDeployment: create,
    actions.RepairDeployment: repair,
    actions.NoteFailure: note_failure,
    actions.MakeRoom: make_room,
    actions.LackMachines: lack_machines,
    actions.PreferInstanceType: prefer,
    actions.SetAutoscale: scale,
    actions.DeleteAutoscale: delete_scale,
}

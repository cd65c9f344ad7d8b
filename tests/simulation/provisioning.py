"""What `tuneops.provision` and `tuneops.cost.reservation` do, on the model of Azure."""

from typing import Any

from tests.simulation import machines
from tests.simulation.world import FRESH, World
from tuneops import actions
from tuneops.observed import Deployment
from tuneops.release import Release

BROKEN = 0.1
"""How many deployments can't answer, though Azure says that they are ready."""
DULL = 0.15
"""How many answer evaluation sets badly."""
AT_ONCE = 0.4
"""How often Azure says at once that there are no machines."""


def deployment_of(release: Release) -> Deployment:
    """The release's deployment as it is while it is being made."""
    return Deployment(
        release.deployment_name,
        "Creating",
        str(release.number),
        instance_type=release.instance_type,
    )


def reserve_cost(world: World, action: Any, release: Release) -> Release:
    endpoint = world.azure.endpoints[release.endpoint]
    room = world.room(release, endpoint)
    if room and not room.lack:
        world.reserved = (release.endpoint, release.deployment_name, world.seconds + FRESH)
    return release


def create_deployment(world: World, action: Any, release: Release) -> Release:
    """What is made anew has passed nothing, and is broken or dull now and then."""
    machines.has_room(world, release)
    machines.takes_what_is_kept(world, release)
    azure, made = world.azure, (release.endpoint, release.deployment_name)
    changed = _begin(world, release)
    for kind, often in ((azure.passed, 0), (azure.broken, BROKEN), (azure.dull, DULL)):
        kind.discard(made)
        if often and not world.calm and world.chance.random() < often:
            kind.add(made)
    return changed


def repair_deployment(world: World, action: Any, release: Release) -> Release:
    provisioning = release.provisioning.replace(failed_at=None)
    return _begin(world, release.replace(repairs=release.repairs + 1, provisioning=provisioning))


def _begin(world: World, release: Release) -> Release:
    """Azure takes it, or says that there are no machines, or finds that later."""
    azure, deployment = world.azure, deployment_of(release)
    azure.changeable(release.endpoint)
    if azure.is_short(release.endpoint, deployment) and world.chance.random() < AT_ONCE:
        world.happens("no machines, said at once")
        cramped = release.provisioning.cramped
        return lacks(release, "OutOfQuota") if cramped else make_room(world, None, release)
    azure.deploy(release.endpoint, deployment)
    return release


def note_failure(world: World, action: Any, release: Release) -> Release:
    return release.replace(provisioning=release.provisioning.replace(failed_at=world.now))


def make_room(world: World, action: Any, release: Release) -> Release:
    return release.replace(provisioning=release.provisioning.replace(cramped=True))


def lack_machines(world: World, action: actions.LackMachines, release: Release) -> Release:
    return lacks(release, action.reason)


def lacks(release: Release, reason: str) -> Release:
    """The instance type in use is not to be had."""
    provisioning = release.provisioning.lacks(release.instance_type, reason)
    return release.replace(repairs=0, provisioning=provisioning)


def prefer(world: World, action: actions.PreferInstanceType, release: Release) -> Release:
    preferred = release.provisioning.replace(preferred=action.instance_type)
    return release.replace(provisioning=preferred)


def set_autoscale(world: World, action: Any, release: Release) -> Release:
    spec, of = release.deployment, (release.endpoint, release.deployment_name)
    if spec.autoscale:
        world.azure.scalings[of] = spec.autoscale.settings(spec.instance_count)
    else:
        world.azure.scalings.pop(of, None)
    scalings = release.provisioning.scalings + 1
    return release.replace(provisioning=release.provisioning.replace(scalings=scalings))


def delete_autoscale(world: World, action: actions.DeleteAutoscale, release: Release) -> Release:
    machines.has_gone(world.azure.endpoints.get(action.endpoint), action.deployment)
    world.azure.scalings.pop((action.endpoint, action.deployment), None)
    return release


def delete_scales(world: World, release: Release, endpoint: str) -> None:
    """The settings of all that is behind an endpoint go with it."""
    if release.autoscaled:
        for of, name in list(world.azure.scalings):
            if of == endpoint:
                del world.azure.scalings[of, name]


EFFECTS = {
    actions.ReserveCost: reserve_cost,
    actions.CreateDeployment: create_deployment,
    actions.RepairDeployment: repair_deployment,
    actions.NoteFailure: note_failure,
    actions.MakeRoom: make_room,
    actions.LackMachines: lack_machines,
    actions.PreferInstanceType: prefer,
    actions.SetAutoscale: set_autoscale,
    actions.DeleteAutoscale: delete_autoscale,
}

"""What must hold of deployments that cost something: which are made, and which are kept."""

from datetime import timedelta

from tests.simulation.azure import ViolationError
from tests.simulation.splits import TOLERANCE
from tests.simulation.world import World
from tuneops.observed import SUCCEEDED, Endpoint
from tuneops.release import Phase, Release
from tuneops.rollout.settings import Rollout


def has_room(world: World, release: Release) -> None:
    """Nothing is deployed where costs are limited, but what has its room."""
    if world.limit is None:
        return
    if not world.has_reserved(release):
        raise ViolationError(f"{release.deployment_name} is deployed and has no room reserved")


def takes_what_is_kept(world: World, release: Release) -> None:
    """What is ready behind the endpoint is taken, and needs no machines."""
    endpoint = world.azure.endpoints[release.endpoint]
    missing = {each.instance_type for each in release.provisioning.lacking}
    for instance_type in set(release.config.deployment.instance_types) - missing:
        found = endpoint.deployment(release.deployment_name_on(instance_type))
        if found is None or found.state != SUCCEEDED or not found.release:
            continue
        live = f"{endpoint.name}/{found.name}" == world.project.live_deployment
        if not live or release.adopts is not None:
            raise ViolationError(f"{found.name} is there already, and another is deployed")


def is_not_kept(world: World, release: Release, endpoint: str, name: str) -> None:
    """What is superseded is not deleted early, but for want of machines or of room."""
    rollout, own = _keeping(world, release), release.deployment_name if release.training else ""
    if rollout is None or (release.phase == Phase.FAILED and name == own):
        return
    there = {
        f"{e.name}/{d.name}"
        for e in world.azure.endpoints.values()
        for d in e.deployments
        if d.state == SUCCEEDED and d.release
    }
    newest = [each for each in world.project.previous if each.deployment in there]
    now = world.now + TOLERANCE if world.sharing else world.now
    lasts = timedelta(minutes=rollout.keep_previous_for_minutes)
    for each in newest[: rollout.keep_previous]:
        if each.deployment == f"{endpoint}/{name}" and now < each.at + lasts:
            raise ViolationError(f"{name} is kept for a while, and deleted early")


def has_gone(endpoint: Endpoint | None, name: str) -> None:
    """A setting is cleared away only after its deployment."""
    if endpoint and endpoint.deployment(name):
        raise ViolationError(f"the autoscale setting of {name} is deleted, which is there")


def settings_have_deployments(world: World) -> None:
    """At the end no autoscale setting is left of what has gone."""
    for of, name in world.azure.scalings:
        endpoint = world.azure.endpoints.get(of)
        if endpoint is None or endpoint.deployment(name) is None:
            raise ViolationError(f"the autoscale setting of {of}/{name} is left over")


def _keeping(world: World, release: Release) -> Rollout | None:
    """How what was superseded is kept; None when it is not."""
    if world.desired.config is None or release.provisioning.cramped:
        return None
    room = world.room(release, world.azure.endpoints.get(release.endpoint))
    if room and room.lack:
        return None
    if release.phase != Phase.FAILED:
        return release.config.rollout
    live = world.live
    return live.config.rollout if live and live.number != release.number else None

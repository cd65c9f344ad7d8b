"""What must hold before a deployment gets traffic: people and evaluation sets let it pass."""

from statistics import fmean

from tests.simulation.azure import ViolationError
from tests.simulation.world import World
from tuneops.release import Phase, Release


def begins_anew(world: World, release: Release) -> None:
    """What was approved and answered was of a deployment that is to be made again."""
    world.anew[release.number] = world.now
    world.approved.pop(release.number, None)
    world.reached.pop(release.number, None)


def may_have(world: World, release: Release, share: int) -> None:
    """No traffic before the sets are passed, no gate without the approval of a person.

    A pin has none of that, nor has what was live once.
    """
    if release.phase != Phase.SHIFTING or release.adopts is not None:
        return
    if release.entered(Phase.LIVE):
        return
    _sets_are_passed(world, release)
    reached = world.reached.get(release.number, -1)
    settings = release.config.rollout.approval
    gates = {*(settings.gates if settings else ()), *world.verdict.demand.gates}
    closed = [gate for gate in gates if reached < gate <= share]
    if closed and world.approved.get(release.number, -1) < max(closed):
        raise ViolationError(f"{share} percent of the traffic, and nobody has approved {closed}")
    world.reached[release.number] = max(share, reached)


def may_be_live(world: World, release: Release) -> None:
    """As `may_have`; what has served until now is known."""
    if f"{release.endpoint}/{release.deployment_name}" != world.project.live_deployment:
        may_have(world, release, 100)


def may_be_asked(world: World, release: Release) -> None:
    """No evaluation set is asked of what a pin brings, nor of a model that was live."""
    served = any(
        other.training and other.training.digest == release.plan.digest
        for other in world.releases.values()
        if other.entered(Phase.LIVE)
    )
    if served or release.adopts is not None:
        raise ViolationError("evaluation sets are asked of a model that was live")


def asks_few(release: Release, requests: int) -> None:
    """No more requests than the config allows."""
    if requests > release.config.behaviour.max_requests:
        raise ViolationError(f"{requests} requests are sent for evaluation sets")


def _sets_are_passed(world: World, release: Release) -> None:
    """What was answered since the deployment was made is enough, and good enough."""
    settings = release.config.behaviour
    if not settings.sets or release.plan.digest in world.project.served:
        return
    scores = world.answers.get((release.number, release.deployment_name), ())
    for wanted in settings.sets:
        if not wanted.required or settings.on_inconclusive == "continue":
            continue
        if len(scores) < settings.min_rows:
            raise ViolationError(f"traffic after {len(scores)} answers to {wanted.name}")
        if fmean(scores) < (wanted.min_score or 0.0):
            raise ViolationError(f"traffic, though the answers to {wanted.name} are bad")

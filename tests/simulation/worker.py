"""What `tuneops.reconcile` does with a decision; its work may be interrupted and lost anywhere."""

from tests.simulation import promises
from tests.simulation.azure import BusyError
from tests.simulation.effects import EFFECTS
from tests.simulation.world import World
from tuneops import actions
from tuneops.actions import Action, Advance, Fail, Idle, PromoteRelease, StartRelease, Wait
from tuneops.decide import decide, look_after
from tuneops.phase import Phase
from tuneops.pinning import agrees, rejection
from tuneops.project import start_release
from tuneops.release import Release

POLL = 60.0
MAX_STEPS = 30
RESTARTED = 0.3
"""How often a worker is stopped between two steps."""
LOST = 0.05
"""How often a worker dies between an effect and its record."""
REFUSED = 0.04
"""How often Azure refuses what is asked of it, for good."""
REFUSABLE = (
    actions.SubmitDataJob,
    actions.PlanTraining,
    actions.CreateCluster,
    actions.SubmitJob,
    actions.RegisterModel,
    actions.CreateEndpoint,
    actions.UpdateEndpoint,
    actions.CreateDeployment,
    actions.ShiftTraffic,
    actions.ShareTraffic,
)
IN_VAIN = (Phase.FAILED, Phase.SUPERSEDED)


def look(world: World) -> float | None:
    """Steps until there is nothing to do now; gives the seconds to the next look, None for never.

    A worker may be restarted after any of them; its message comes again then.
    """
    pauses = []
    for take in (step, step_for_live):
        for _ in range(MAX_STEPS):
            action = take(world)
            if action is None or isinstance(action, Idle | Wait):
                break
            if not world.calm and world.chance.random() < RESTARTED:
                return 0
        else:
            return 0
        if isinstance(action, Wait):
            pauses.append(POLL if action.seconds is None else action.seconds)
    return min(pauses, default=None)


def step(world: World) -> Action:
    """One step for the newest release: look, decide, act, save."""
    _end_pin(world)
    release = world.release
    action = decide(world.desired, release, world.observe(release), world.now)
    promises.hold_for(world, action, release)
    return _perform(world, action, release)


def step_for_live(world: World) -> Action | None:
    """One step for the live release when the newest came to nothing; None when it did not."""
    newest, live = world.release, world.live
    if newest is None or newest.phase not in IN_VAIN or world.desired.config is None:
        return None
    if live is None or live.number == newest.number or live.phase != Phase.LIVE:
        return None
    action = look_after(world.desired, live, world.observe(live), world.now)
    promises.hold_for(world, action, live)
    return _perform(world, action, live)


def _perform(world: World, action: Action, release: Release | None) -> Action:
    """Do it; what can't be done now is a reason to look again later."""
    kind = type(action)
    world.tally.actions[kind.__name__] += 1
    world.tally.steps += 1
    world.trace = hash((world.trace, world.seconds, _NUMBERS[kind]))
    if world.say and not isinstance(action, Idle | Wait):
        world.say(f"release {release.number if release else '-'}: {action}")
    if isinstance(action, StartRelease):
        _start(world)
    elif isinstance(action, PromoteRelease):
        _promote(world)
    elif not isinstance(action, Idle | Wait):
        assert release is not None
        action = _act(world, action, release)
    promises.hold_in_azure(world)
    return action


def _act(world: World, action: Action, release: Release) -> Action:
    if isinstance(action, actions.PrepareData) and _data_has_changed(world, release):
        if release.source == world.desired.source:
            return Wait("the data has changed, of which no event has told", 1)
        action = Advance(Phase.SUPERSEDED, "the data has changed")
    elif isinstance(action, REFUSABLE) and not release.phase.ended and _strikes(world, REFUSED):
        world.happens("refused by Azure")
        action = Fail("Azure refuses it")
    if isinstance(action, Advance) and action.phase == Phase.RETIRED:
        _retire_live(world, release, action.reason)
    try:
        changed = EFFECTS[type(action)](world, action, release)
    except BusyError as error:
        return Wait(f"{error} is busy", POLL)
    if not _is_lost(world):
        save(world, changed)
    return action


def _data_has_changed(world: World, release: Release) -> bool:
    """Whether there is newer data in storage already, of which no event has told yet."""
    return release.source.version != str(world.version)


def _start(world: World) -> None:
    project, before = world.project.allow(world.desired), world.release
    if before:
        project = project.remember(before)
    release = start_release(world.desired, project, "/workspace", world.now)
    if release.adopts is not None:
        release = release.adopt(world.releases[release.adopts])
    begun = world.releases.get(release.number)
    if begun is None or (begun.fingerprint, begun.adopts) != (release.fingerprint, release.adopts):
        world.releases[release.number] = release
    if not _is_lost(world):
        endpoints = dict.fromkeys((*project.endpoints, release.endpoint))
        world.project = project.replace(current=release.number, endpoints=tuple(endpoints))


def _promote(world: World) -> None:
    release, before, project = world.release, world.live, world.project
    assert release is not None
    if before and before.number != release.number and before.phase != Phase.RETIRED:
        if before.phase == Phase.LIVE:
            before = before.advance(Phase.SUPERSEDED, world.now, "a newer one is live")
        if project.pin and release.adopts is not None and not before.equals(release):
            before = before.replace(rejected=rejection(project.pin, before))
        save(world, before)
    if before and before.number != release.number and before.rejected:
        project = project.reject(before, before.rejected)
        world.happens("rolled back")
    if not _is_lost(world):
        world.project = project.promote(release, release.entered(Phase.LIVE) or world.now)


def _retire_live(world: World, newest: Release, reason: str) -> None:
    live = world.live
    if live and live.number != newest.number and live.phase == Phase.LIVE:
        save(world, live.advance(Phase.RETIRED, world.now, reason))


def _end_pin(world: World) -> None:
    release, pin = world.release, world.project.pin
    if not (release and pin) or release.phase != Phase.LIVE:
        return
    there = pin.release in (release.number, release.adopts)
    if release.number == world.project.live and there and agrees(world.known, world.desired):
        world.project = world.project.replace(pin=None)
        world.happens("a pin has served its time")


def save(world: World, release: Release) -> None:
    """Store the release."""
    before = world.releases[release.number].phase
    if before != release.phase:
        world.tally.transitions[before.value, release.phase.value] += 1
    world.releases[release.number] = release


def _strikes(world: World, often: float) -> bool:
    return not world.calm and world.chance.random() < often


def _is_lost(world: World) -> bool:
    if not _strikes(world, LOST):
        return False
    world.happens("a record is lost")
    return True


_NUMBERS: dict[type, int] = {
    kind: number for number, kind in enumerate((Idle, Wait, StartRelease, PromoteRelease, *EFFECTS))
}

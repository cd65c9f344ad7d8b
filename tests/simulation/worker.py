"""What `tuneops.reconcile` does with a decision; its work may be interrupted and lost anywhere."""

from collections.abc import Generator
from typing import cast

from tests.simulation import promises
from tests.simulation.azure import BusyError
from tests.simulation.effects import EFFECTS
from tests.simulation.turns import Stops, Turn
from tests.simulation.world import World
from tuneops import actions
from tuneops.actions import Action, Advance, Fail, Idle, PromoteRelease, StartRelease, Wait
from tuneops.decide import decide, look_after
from tuneops.phase import Phase
from tuneops.pinning import agrees, rejection
from tuneops.project import start_release
from tuneops.release import Release

Looking = Generator[None, None, float | None]
Step = Generator[None, None, Action]
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
    """A look by a worker that is alone; gives the seconds to the next look, None for never."""
    looking = look_in(Turn(world))
    while True:
        try:
            next(looking)
        except StopIteration as end:
            return cast("float | None", end.value)


def look_in(turn: Turn) -> Looking:
    """Steps until there is nothing to do now; gives the seconds to the next look, None for never.

    A worker may be restarted after any of them; its message comes again then.
    """
    turn.begin()
    pauses = []
    for take in (_step, _step_for_live):
        for _ in range(MAX_STEPS):
            action = yield from take(turn)
            if action is None or isinstance(action, Idle | Wait):
                break
            if not turn.world.calm and turn.world.chance.random() < RESTARTED:
                return 0
        else:
            return 0
        if isinstance(action, Wait):
            pauses.append(POLL if action.seconds is None else action.seconds)
    return min(pauses, default=None)


def _step(turn: Turn) -> Step:
    """One step for the newest release: look, decide, act, save."""
    yield from _end_pin(turn)
    seen = turn.read()
    release, observed = seen.release, seen.observe(seen.release)
    action = decide(seen.desired, release, observed, seen.now)
    turn.decided(action, lambda now: decide(seen.desired, release, observed, now))
    promises.hold_for(seen, action, release)
    return (yield from _perform(turn, action, release))


def _step_for_live(turn: Turn) -> Generator[None, None, Action | None]:
    """One step for the live release when the newest came to nothing; None when it did not."""
    seen = turn.read()
    newest, number = seen.release, seen.project.live
    if newest is None or newest.phase not in IN_VAIN or seen.desired.config is None:
        return None
    if number in (None, newest.number):
        return None
    live = turn.follow(number)
    if live is None or live.phase != Phase.LIVE:
        return None
    observed = seen.observe(live)
    action = look_after(seen.desired, live, observed, seen.now)
    turn.decided(action, lambda now: look_after(seen.desired, live, observed, now))
    promises.hold_for(seen, action, live)
    return (yield from _perform(turn, action, live))


def _perform(turn: Turn, action: Action, release: Release | None) -> Step:
    """Do it; what can't be done now is a reason to look again later."""
    world, kind = turn.world, type(action)
    world.tally.actions[kind.__name__] += 1
    world.tally.steps += 1
    world.trace = hash((world.trace, world.seconds, _NUMBERS[kind]))
    if world.say and not isinstance(action, Idle | Wait):
        world.say(f"{turn}release {release.number if release else '-'}: {action}")
    if isinstance(action, Idle | Wait):
        promises.hold_in_azure(world)
        return action
    yield from turn.acts(action, release)
    if isinstance(action, StartRelease):
        yield from _start(turn)
    elif isinstance(action, PromoteRelease):
        yield from _promote(turn)
    else:
        assert release is not None
        action = yield from _act(turn, action, release)
    promises.hold_in_azure(world)
    return action


def _act(turn: Turn, action: Action, release: Release) -> Step:
    world = turn.world
    if isinstance(action, actions.PrepareData) and _data_has_changed(world, release):
        if release.source == turn.seen.desired.source:
            return Wait("the data has changed, of which no event has told", 1)
        action = Advance(Phase.SUPERSEDED, "the data has changed")
    elif isinstance(action, REFUSABLE) and not release.phase.ended and _strikes(world, REFUSED):
        world.happens("refused by Azure")
        action = Fail("Azure refuses it")
    if isinstance(action, Advance) and action.phase == Phase.RETIRED:
        yield from _retire_live(turn, release, action.reason)
    try:
        with turn.by_its_clock():
            changed = EFFECTS[type(action)](world, action, release)
    except BusyError as error:
        return Wait(f"{error} is busy", POLL)
    turn.acted(action, release)
    if not _is_lost(turn):
        yield from turn.save(changed)
    return action


def _data_has_changed(world: World, release: Release) -> bool:
    """Whether there is newer data in storage already, of which no event has told yet."""
    return release.source.version != str(world.version)


def _start(turn: Turn) -> Stops:
    seen = turn.seen
    project, before = seen.project.allow(seen.desired), seen.release
    if before:
        project = project.remember(before)
    release = start_release(seen.desired, project, "/workspace", turn.now, before)
    if release.adopts is not None:
        release = release.adopt(seen.releases[release.adopts])
    begun = turn.load(release.number)
    if begun is None or (begun.fingerprint, begun.adopts) != (release.fingerprint, release.adopts):
        yield from turn.save(release)
    if not _is_lost(turn):
        endpoints = dict.fromkeys((*project.endpoints, release.endpoint))
        project = project.replace(current=release.number, endpoints=tuple(endpoints))
        yield from turn.save_project(project)


def _promote(turn: Turn) -> Stops:
    seen = turn.seen
    release, project = seen.release, seen.project
    assert release is not None
    before = turn.load(project.live) if project.live != release.number else None
    if before and before.phase != Phase.RETIRED:
        if before.phase == Phase.LIVE:
            before = before.advance(Phase.SUPERSEDED, turn.now, "a newer one is live")
        if project.pin and release.adopts is not None and not before.equals(release):
            before = before.replace(rejected=rejection(project.pin, before))
        yield from turn.save(before)
    if before and before.rejected:
        project = project.reject(before, before.rejected)
        turn.world.happens("rolled back")
    if not _is_lost(turn):
        at = release.entered(Phase.LIVE) or turn.now
        yield from turn.save_project(project.promote(release, at))


def _retire_live(turn: Turn, newest: Release, reason: str) -> Stops:
    number = turn.seen.project.live
    live = turn.load(number) if number != newest.number else None
    if live and live.phase == Phase.LIVE:
        yield from turn.save(live.advance(Phase.RETIRED, turn.now, reason))


def _end_pin(turn: Turn) -> Stops:
    seen = turn.read()
    release, project, pin = seen.release, seen.project, seen.project.pin
    if not (release and pin) or release.phase != Phase.LIVE:
        return
    there = pin.release in (release.number, release.adopts)
    if release.number == project.live and there and agrees(seen.known, seen.desired):
        yield from turn.save_project(project.replace(pin=None))
        turn.world.happens("a pin has served its time")


def _strikes(world: World, often: float) -> bool:
    return not world.calm and world.chance.random() < often


def _is_lost(turn: Turn) -> bool:
    if not _strikes(turn.world, LOST):
        return False
    turn.world.happens("a record is lost")
    turn.dies()
    return True


_NUMBERS: dict[type, int] = {
    kind: number for number, kind in enumerate((Idle, Wait, StartRelease, PromoteRelease, *EFFECTS))
}

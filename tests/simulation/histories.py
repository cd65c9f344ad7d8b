"""Histories: how they are made, driven to their end, counted and replayed.

A history is the whole life of a project, from before its first release to an end after which
nothing happens any more. Histories grow as trees. The trunk is one long life, driven by a seed;
every few moments a twig leaves it, which goes its own way by its own chance: things happen more
often for a while, then everybody is calm, and it must come to a clean end. So each twig is the end
of a history of its own, named SEED/TWIG. The steps on the trunk are taken once for all the twigs
that leave it later. All steps are checked. Histories that took the same steps at the same times
are told apart from those that are distinct.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from tests.simulation import people, promises, sharing
from tests.simulation.azure import ViolationError
from tests.simulation.worker import POLL, look
from tests.simulation.world import Tally, World
from tuneops.observed import Cluster
from tuneops.phase import Phase
from tuneops.phases.teardown import LOOKS_AGAIN
from tuneops.policy import Verdict

TRUNK = 75
"""Moments of a trunk."""
TWIGS = 60
"""Histories of a tree."""
MOMENTS = (1, 5, 20, 90)
"""Seconds from one moment to the next."""
PACES = (0.1, 0.3, 0.6, 0.9)
"""How likely an operation ends within a moment: some are provisioned slowly."""
RESTING = LOOKS_AGAIN.total_seconds()
"""Who has nothing to do, and looks all the same now and then, waits so long."""
CALM = 0.95
"""So it is when everybody is calm."""
FAILING = 0.05
"""How many of the operations that end do so in vain."""
LIVE = (people.MACHINES, people.ROLLOUTS, people.GATES)
"""Projects that have something live from the beginning."""
SLOW = (people.ROLLOUTS, people.GATES)
"""Projects whose releases take their time."""
BOUND = 300
"""Looks after which a calm project must have come to its end."""


@dataclass(frozen=True)
class Failure:
    """A history in which a promise was broken; `name` replays it."""

    name: str
    what: str
    hosts: str = ""

    def __str__(self) -> str:
        replay = f"python -m tests.simulation {self.name}{self.hosts}"
        return f"{self.name}: {self.what}\n  replay it: {replay}"


def grow(seed: int, tally: Tally, hosts: int = 1) -> Iterator[Failure]:
    """All histories of one tree; a trunk that breaks a promise has no more twigs."""
    trunk, of_hosts = plant(seed, tally, hosts), f" --hosts {hosts}" if hosts > 1 else ""
    for twig in range(TWIGS):
        try:
            live_on(trunk, twig)
        except Exception as error:
            yield Failure(f"{seed}/{twig}", _said(error), of_hosts)
            return
        try:
            follow(trunk, seed, twig)
        except Exception as error:
            yield Failure(f"{seed}/{twig}", _said(error), of_hosts)


def replay(name: str, say: Callable[[str], None], hosts: int = 1) -> str:
    """Live one history again, SEED/TWIG, and tell everything; gives its end."""
    seed, twig = map(int, name.split("/"))
    trunk = plant(seed, Tally(), hosts)
    trunk.say = lambda text: say(f"{trunk.now:%m-%d %H:%M:%S} {text}")
    for before in range(twig + 1):
        live_on(trunk, before)
    return follow(trunk, seed, twig, say)


def plant(seed: int, tally: Tally, hosts: int = 1) -> World:
    """A project of one of the kinds before its first release, or with something live already."""
    chance, configs = Random(seed), people.KINDS[seed % len(people.KINDS)]
    world = World(chance, tally, configs)
    world.sharing = sharing.begin(chance) if hosts > 1 else None
    world.pace = chance.choice(PACES)
    if configs in LIVE or chance.random() < 0.7:
        ours = chance.random() < 0.4
        world.azure.cluster = Cluster("gpu-cluster", "Succeeded", min_nodes=1, ours=ours)
    if configs in LIVE:
        settle(world)
        world.calm = False
    if configs is people.MACHINES:
        world.azure.machines = chance.choice(people.SHORTAGES)
    return world


def live_on(trunk: World, twig: int) -> None:
    """The trunk, until this twig leaves it."""
    for _ in range(TRUNK * twig // TWIGS, TRUNK * (twig + 1) // TWIGS):
        moment(trunk, 0.15)


def follow(trunk: World, seed: int, twig: int, say: Callable[[str], None] | None = None) -> str:
    """A twig, from where it leaves the trunk to its end; gives the name of that."""
    world = trunk.fork(Random(seed * TWIGS + twig))
    if say:
        world.say = lambda text: say(f"{world.now:%m-%d %H:%M:%S} {text}")
        world.say("-- a twig of its own --")
    chance, rollouts = world.chance, world.configs in SLOW
    world.pace = chance.choice(PACES)
    moments, often = (13, 0.15) if rollouts else (6, chance.choice((0.1, 0.3, 0.6)))
    for _ in range(chance.randrange(2, moments)):
        moment(world, often)
    end = settle(world)
    tally = world.tally
    tally.histories += 1
    tally.ends[end] += 1
    tally.distinct.add(world.trace)
    return end


def moment(world: World, often: float) -> None:
    """People and Azure do something, events come or do not, and TuneOps looks when it is due."""
    _go_on(world, often)
    if world.wake is not None and world.wake <= world.seconds:
        pause = _look(world)
        world.wake = None if pause is None else world.seconds + pause


def _go_on(world: World, often: float = 0.15) -> None:
    people.act(world, often)
    _events(world)
    world.passes(world.chance.choice(MOMENTS))
    world.azure.goes_on(world.chance, world.pace, FAILING, world.now)


def _look(world: World) -> float | None:
    return sharing.look(world, _go_on) if world.sharing else look(world)


def _events(world: World) -> None:
    """An event makes TuneOps look; it may be late, come twice, be lost, or tell of an older state.

    What is lost is found by the resync, which is an event like the others here.
    """
    draw, news = world.chance.random(), world.known is not world.git
    if draw < (0.4 if news else 0.15):
        if news:
            world.before, world.known = world.known, world.git
        world.wake = world.seconds
    elif draw > 0.98:
        world.wake = None
        world.happens("a wake-up is lost")
    elif draw > 0.95 and world.before is not world.known:
        world.known = world.before
        world.wake = world.seconds
        world.happens("an older event comes late")


def settle(world: World) -> str:
    """Nothing fails, nobody changes anything: an end must come, and be clean. Gives its name."""
    world.calm, world.pace = True, CALM
    if world.verdict.freeze or world.chance.random() < 0.7:
        world.verdict = Verdict()
    if world.project.suspension and world.chance.random() < 0.8:
        people.suspend_or_resume(world)
    if world.say:
        world.say("-- everybody is calm --")
    if world.limit is not None:
        world.limit = world.chance.choice((None, 2))
    if world.azure.machines and world.chance.random() < 0.5:
        world.azure.machines = {}
    world.known, world.wake = world.git, world.seconds
    if promises.is_suspended(world) or promises.is_protected(world):
        world.azure.endless = set()
    first: int = world.tally.steps
    before: float | None = 0.0
    for _ in range(BOUND):
        world.azure.goes_on(world.chance, world.pace, 0, world.now)
        people.answer_at_last(world)
        _sweep(world)
        pause = _look(world)
        if not world.azure.under_way and (pause is None or pause == before == RESTING):
            world.tally.longest = max(world.tally.longest, world.tally.steps - first)
            _nothing_is_forgotten(world, pause)
            return promises.hold_at_the_end(world)
        world.passes(max(1, math.ceil(POLL if pause is None else pause)))
        before = pause
    raise ViolationError(f"no end in sight after {BOUND} looks")


def _sweep(world: World) -> None:
    """As `tuneops.sweep`: a job that a failed release has left, and nobody goes on with, ends."""
    if world.release and world.release.phase == Phase.FAILED:
        world.azure.cancel(world.release.running_job)


def _nothing_is_forgotten(world: World, pause: float | None) -> None:
    """Who has nothing to wait for has nothing to do later, when nothing has changed."""
    world.passes(promises.LONG_AFTER)
    before = world.tally.steps
    if _look(world) != pause or world.tally.steps - before > 2:
        raise ViolationError("there is something to do that nobody would have come back for")


def _said(error: Exception) -> str:
    kind = "" if isinstance(error, ViolationError) else f"{type(error).__name__}: "
    return f"{kind}{error}"

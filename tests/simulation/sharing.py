"""Two hosts with clocks of their own, which look at one project through one store.

A host's clock is hours off and is set now and then, what it measures has a pace of its own, and it
stands still for minutes, or its whole machine does, which then measures nothing. As in Azure, a
lease is kept by the store's own clock, a write of the project needs it, a write of a release needs
the ETag that was read, and each answer says what time it is. No host stands still between the
answer that it has the lease and what it does then: that is the moment that nothing can guard.
"""

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from random import Random

from tests.simulation import splits
from tests.simulation.turns import LostError, Stops, Turn
from tests.simulation.worker import Looking, look_in
from tests.simulation.world import BEGIN, World
from tuneops.actions import Action
from tuneops.clock import Clock
from tuneops.held import STOOD_STILL
from tuneops.project import Project
from tuneops.release import Release
from tuneops.store import LEASE_SECONDS

OFF = (-86_400, -3_600, -90, -5, 0, 5, 90, 3_600, 86_400)
"""Seconds by which a host's clock may be wrong."""
PACES = (0.99, 0.999, 1.0, 1.001, 1.01)
"""Seconds that a host measures in a second."""
SET = 0.1
"""How often a clock is set anew before a look."""
JOINED = 0.1
"""How often somebody else comes while one is at it."""
STANDS = 0.05
"""How often a host stands still at a stop."""
SLOW = 0.05
"""How often something takes long."""
RENEWED = 0.7
"""How often the lease is renewed meanwhile: storage may be unavailable."""
STILL = (4, 15, 30, 90, 600)
"""Seconds that either lasts."""
AT_ONCE = 3
"""Looks that are under way at once: a host may have two."""
LATE = (0, 0, 0, 1)
"""Seconds by which an answer's time is behind: storage has many machines."""
PROJECT = 0
"""The project's own document, among those of its releases."""


@dataclass
class Host:
    """A machine; `still` are the seconds that it stands, `measures` whether it counts them."""

    name: str
    off: int
    pace: float
    real: float = 0
    measured: float = 0
    still: float = 0
    measures: bool = True
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(self.own, lambda: self.measured)

    def own(self) -> datetime:
        """What its own clock says."""
        return BEGIN + timedelta(seconds=self.real + self.off)

    def passes(self, seconds: float) -> None:
        """Time passes."""
        self.real += seconds
        if self.still <= 0 or self.measures:
            self.measured += seconds * self.pace
        self.still -= seconds

    def fork(self) -> "Host":
        """The same while nothing is under way; it has heard of no time yet."""
        return Host(self.name, self.off, self.pace, self.real, self.measured)


@dataclass
class Sharing:
    """What hosts share: the store with its lease and ETags, by the numbers of documents."""

    chance: Random
    hosts: tuple[Host, ...]
    etags: dict[int, int] = field(default_factory=dict)
    seconds: float = 0
    holder: "SharedTurn | None" = None
    until: float = 0
    record: splits.Record = field(default_factory=splits.Record)

    def fork(self, chance: Random) -> "Sharing":
        """A copy that goes its own way."""
        hosts, record = tuple(host.fork() for host in self.hosts), self.record.fork()
        return Sharing(chance, hosts, dict(self.etags), self.seconds, None, self.until, record)

    def passes(self, seconds: float) -> None:
        """Time passes; who lives and has the lease renews it."""
        self.seconds += seconds
        for host in self.hosts:
            host.passes(seconds)
        if self.holder and self.holder.renews and self.holder.host.still <= 0:
            self.until = self.seconds + LEASE_SECONDS

    def take(self, turn: "SharedTurn") -> None:
        """Take the lease, where nobody has it."""
        if self.holder and self.seconds < self.until:
            raise LostError("somebody else is at it")
        self.holder, self.until = turn, self.seconds + LEASE_SECONDS
        self.tell(turn.host)

    def hold(self, turn: "SharedTurn") -> None:
        """Renew the lease, which nobody has taken meanwhile."""
        if self.holder is not turn:
            raise LostError("the lease was lost")
        self.until = self.seconds + LEASE_SECONDS
        self.tell(turn.host)

    def tell(self, host: Host) -> None:
        """Each answer says what time it is."""
        late = self.seconds - self.chance.choice(LATE)
        host.clock.hear(format_datetime(BEGIN + timedelta(seconds=int(late)), usegmt=True))


class SharedTurn(Turn):
    """The turn of a worker beside whom there are others."""

    def __init__(self, world: World, sharing: Sharing, host: Host) -> None:
        super().__init__(world)
        self.sharing, self.host = sharing, host
        self.lives = self.renews = True
        """Whether its lease is renewed while it works, as long as the host does not stand still."""
        self.decision: tuple[Action, Callable[[datetime], Action], datetime] | None = None
        self._project = world.project
        self._releases: dict[int, Release | None] = {}
        self._etags: dict[int, int] = {}

    def __str__(self) -> str:
        return f"host {self.host.name}, "

    def begin(self) -> None:
        self.sharing.take(self)
        self._project = self.world.project
        self._etags[PROJECT] = self.sharing.etags.get(PROJECT, 0)
        self.follow(self._project.current)

    def read(self) -> World:
        """What people have ordered is read each time, as is what nobody here goes on with."""
        orders = self.world.project
        self._project = self._project.replace(pin=orders.pin, suspension=orders.suspension)
        self.seen = _known(self.world, self._project, self.now)
        for number, release in self._releases.items():
            if release:
                self.seen.releases[number] = release
        return self.seen

    def load(self, number: int | None) -> Release | None:
        """A release as it is now; what is written of it later needs this ETag."""
        release = super().load(number)
        if number is not None:
            self._etags[number] = self.sharing.etags.get(number, 0)
            if number in self._releases:
                self._releases[number] = release
        return release

    def follow(self, number: int | None) -> Release | None:
        if number is None:
            return None
        if number not in self._releases:
            self._releases[number] = self.load(number)
        return self._releases[number]

    @property
    def now(self) -> datetime:
        return self.host.clock()

    @contextmanager
    def by_its_clock(self) -> Iterator[None]:
        self.world.now, real = self.now, self.world.now
        try:
            yield
        finally:
            self.world.now = real

    def decided(self, action: Action, again: Callable[[datetime], Action]) -> None:
        self.decision = (action, again, self.world.now)

    def acts(self, action: Action, release: Release | None) -> Stops:
        """As `tuneops.reconcile`: the lease is held, and nobody has stood still since."""
        before = self.now
        yield
        self.sharing.hold(self)
        if self.now - before > STOOD_STILL:
            raise LostError("it stood still")
        splits.does(self, action, release)

    def acted(self, action: Action, release: Release) -> None:
        splits.done(self, action, release)

    def save(self, release: Release) -> Stops:
        yield
        if release == self._releases.get(release.number):
            return
        self.sharing.hold(self)
        self._write(release.number)
        splits.writes(self, release)
        self.store(release)
        self._releases[release.number] = release

    def save_project(self, project: Project) -> Stops:
        yield
        if not self.is_its_turn:
            raise LostError("the lease was lost")
        self._write(PROJECT)
        orders, ends_pin = self.world.project, bool(self._project.pin and not project.pin)
        pin = None if ends_pin and orders.pin == self._project.pin else orders.pin
        self.store_project(project.replace(pin=pin, suspension=orders.suspension))
        self._project = self.world.project

    def dies(self) -> None:
        """Nobody gives its lease back."""
        self.renews, self.lives = False, False
        raise LostError("the worker has died")

    def ends(self) -> None:
        """The lease is given back, if it is its own."""
        if self.lives and self.sharing.holder is self:
            self.sharing.holder = None

    @property
    def is_its_turn(self) -> bool:
        """Whether it has the lease."""
        return self.sharing.holder is self and self.sharing.seconds < self.sharing.until

    @property
    def knows_all(self) -> bool:
        """Whether what it goes by is what is stored."""
        return all(map(self.knows, (PROJECT, *self._releases)))

    def knows(self, document: int) -> bool:
        """Whether a document is as this worker has read or written it."""
        return self.sharing.etags.get(document, 0) == self._etags.get(document, 0)

    def _write(self, document: int) -> None:
        """It is written if nobody else has written it since it was read."""
        if not self.knows(document):
            raise LostError("somebody else has written it")
        splits.overwrites(self, document)
        self._etags[document] = self.sharing.etags.get(document, 0) + 1
        self.sharing.etags[document] = self._etags[document]
        self.sharing.tell(self.host)


@dataclass
class _Flight:
    """A look that is under way; what it has begun may take until then."""

    turn: SharedTurn
    looking: Looking
    until: float = 0

    @property
    def rests(self) -> float:
        """Seconds until it goes on."""
        return max(self.turn.host.still, self.until - self.turn.sharing.seconds, 0)


def begin(chance: Random) -> Sharing:
    """Two hosts, of which nothing agrees."""
    return Sharing(chance, tuple(Host(n, chance.choice(OFF), chance.choice(PACES)) for n in "AB"))


def look(world: World, meanwhile: Callable[[World], None]) -> float | None:
    """Looks of both hosts whose steps come in any order; gives the seconds to the next one.

    `meanwhile` is what else happens while nobody moves.
    """
    sharing, chance = world.sharing, world.chance
    assert sharing is not None
    sharing.chance = chance
    flights, pauses, world.wake = [_start(world, sharing)], list[float | None](), None
    while flights:
        if not world.calm and len(flights) < AT_ONCE and chance.random() < JOINED:
            flights.append(_start(world, sharing))
        moving = [flight for flight in flights if not flight.rests]
        if not moving:
            _stand(world, min(flight.rests for flight in flights), meanwhile)
            continue
        flight = chance.choice(moving)
        try:
            next(flight.looking)
        except StopIteration as end:
            pauses.append(end.value)
        except LostError as error:
            world.happens(f"a look is left: {error}")
            pauses.append(chance.uniform(1, 6))
        else:
            _goes_on(world, flight)
            continue
        flight.turn.ends()
        flights.remove(flight)
    if world.wake is not None:
        pauses.append(max(0, world.wake - world.seconds))
    return min((each for each in pauses if each is not None), default=None)


def _start(world: World, sharing: Sharing) -> _Flight:
    """A host begins a look; its clock may have been set."""
    chance, host = world.chance, world.chance.choice(sharing.hosts)
    if not world.calm and chance.random() < SET:
        host.off = chance.choice(OFF)
        world.happens("a clock is set")
    turn = SharedTurn(world, sharing, host)
    return _Flight(turn, look_in(turn))


def _goes_on(world: World, flight: _Flight) -> None:
    """At a stop a host may stand still, with all that it is at, or something may take long."""
    chance, host = world.chance, flight.turn.host
    if not world.calm and chance.random() < SLOW:
        flight.until = flight.turn.sharing.seconds + chance.choice(STILL)
        flight.turn.renews = flight.turn.renews and chance.random() < RENEWED
        world.happens("an effect takes long")
    elif not world.calm and chance.random() < STANDS:
        host.still, host.measures = chance.choice(STILL), chance.random() < 0.5
        world.happens("a host stands still")
    elif not world.calm:
        world.passes(chance.choice((0, 0, 1)))


def _stand(world: World, seconds: float, meanwhile: Callable[[World], None]) -> None:
    """Nobody moves; much happens only if it takes long."""
    if world.calm or seconds <= STOOD_STILL.total_seconds():
        world.passes(math.ceil(seconds))
    else:
        meanwhile(world)


def _known(world: World, project: Project, now: datetime) -> World:
    """The world as somebody knows it; Azure is the same."""
    seen = copy.copy(world)
    seen.project, seen.now, seen.releases = project, now, dict(world.releases)
    return seen

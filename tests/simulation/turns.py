"""A worker's turn: what it has read of the project, and how it writes.

This one is alone: what it reads is what there is, and nobody comes between. `sharing` has the turns
of workers on several hosts. Where others may come between a turn stops, so looks are generators.
"""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime

from tests.simulation.world import World
from tuneops.actions import Action
from tuneops.project import Project
from tuneops.release import Release

Stops = Generator[None, None, None]


class LostError(Exception):
    """It is another worker's turn: this one leaves, and comes again later."""


class Turn:
    """The turn of a worker that is alone."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.seen = world
        """What there is, as far as this worker knows."""

    def begin(self) -> None:
        """Take the turn and read the project's documents."""

    def read(self) -> World:
        """What there is now; documents are as they were read last."""
        return self.seen

    def load(self, number: int | None) -> Release | None:
        """A release as it is stored now."""
        return self.world.releases.get(number or 0)

    def follow(self, number: int | None) -> Release | None:
        """The release as it was when this worker turned to it."""
        return self.load(number)

    @property
    def now(self) -> datetime:
        """The time, as far as the worker's host knows."""
        return self.world.now

    def by_its_clock(self) -> AbstractContextManager[None]:
        """What is done in the block is done at the time that the worker's host knows."""
        return nullcontext()

    def decided(self, action: Action, again: Callable[[datetime], Action]) -> None:
        """Something was decided; `again` decides it at another time."""

    def acts(self, action: Action, release: Release | None) -> Stops:
        """Before an effect: others may come between, and then it is not done."""
        yield from ()

    def acted(self, action: Action, release: Release) -> None:
        """After an effect."""

    def save(self, release: Release) -> Stops:
        """Store a release."""
        self.store(release)
        yield from ()

    def save_project(self, project: Project) -> Stops:
        """Store the project's own document."""
        self.store_project(project)
        yield from ()

    def dies(self) -> None:
        """The worker dies, with what it has not stored."""

    def __str__(self) -> str:
        return ""

    def store(self, release: Release) -> None:
        """The release is stored."""
        world = self.world
        before = world.releases.get(release.number)
        if before and before.phase != release.phase:
            world.tally.transitions[before.phase.value, release.phase.value] += 1
        world.releases[release.number] = release

    def store_project(self, project: Project) -> None:
        """The project's own document is stored."""
        if project.current != self.world.project.current:
            self.world.tally.releases += 1
        self.world.project = project

"""Many histories at once, in several processes, and what is to be said of them."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import get_args

from tests.simulation.histories import TWIGS, Failure, grow
from tests.simulation.world import Tally
from tuneops import actions
from tuneops.phase import TRANSITIONS

PART = 25
"""Trees that a process is given at a time."""
SHOWN = 20
"""So many failures are told of, and more are not looked for."""


@dataclass
class Run:
    """What many histories have met, and those that broke a promise."""

    tally: Tally = field(default_factory=Tally)
    failures: list[Failure] = field(default_factory=list)

    @property
    def missing(self) -> list[str]:
        """The actions and transitions of the product that no history has met."""
        kinds = {kind.__name__ for kind in get_args(actions.Action)}
        moves = {(before.value, after.value) for before, to in TRANSITIONS.items() for after in to}
        pairs = sorted(moves - self.tally.transitions.keys())
        absent = sorted(kinds - self.tally.actions.keys())
        return absent + [f"{before} -> {after}" for before, after in pairs]

    def lines(self) -> Iterator[str]:
        """The figures, for people."""
        tally = self.tally
        distinct = f"{len(tally.distinct)} of them distinct"
        yield f"{tally.histories} histories, {distinct}, with {tally.releases} releases"
        yield f"{tally.steps} steps, each of them checked; {tally.longest} at most to the end"
        for what in ("ends", "happenings", "actions"):
            counts = getattr(tally, what).most_common()
            yield f"{what}: {', '.join(f'{name} {count}' for name, count in counts)}"
        pairs = tally.transitions.most_common()
        yield f"transitions: {', '.join(f'{a}-{b} {count}' for (a, b), count in pairs)}"
        yield from (f"never met: {what}" for what in self.missing)
        yield from map(str, self.failures)


def run(histories: int, processes: int, first: int = 0, hosts: int = 1) -> Run:
    """At least so many histories, of the trees from seed `first` on."""
    trees = -(-histories // TWIGS)
    parts = [
        (seed, min(seed + PART, first + trees), hosts) for seed in range(first, first + trees, PART)
    ]
    found = Run()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        for part in pool.map(_grow_all, parts):
            found.tally.add(part.tally)
            found.failures += part.failures
            if len(found.failures) >= SHOWN:
                pool.shutdown(cancel_futures=True)
                break
    return found


def _grow_all(part: tuple[int, int, int]) -> Run:
    found, (begin, end, hosts) = Run(), part
    for seed in range(begin, end):
        found.failures += grow(seed, found.tally, hosts)
    return found

"""Which events come, in which order: a mix that a seed decides. Pure."""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["upload", "push", "pushed elsewhere", "forged", "job", "step", "other blob"]

MIX: dict[Kind, int] = {
    "push": 24,
    "pushed elsewhere": 12,
    "forged": 2,
    "upload": 24,
    "other blob": 8,
    "job": 20,
    "step": 10,
}
"""How often each comes, as weights."""
DUPLICATES = 0.1
"""So many events are delivered once more, some time later."""
WEBHOOKS: frozenset[Kind] = frozenset({"push", "pushed elsewhere", "forged"})
GIVEN_EARLIER = 50
"""A duplicate is that of one of so many events before it."""


@dataclass(frozen=True)
class Planned:
    """An event; `project` is the number of the one it is about, `again` that it comes once more.

    With `change` something has changed before it comes: git, for a push, or the project's data.
    """

    id: str
    kind: Kind
    project: int
    change: bool = False
    again: bool = False

    @property
    def is_webhook(self) -> bool:
        """Whether GitHub sends it."""
        return self.kind in WEBHOOKS


def plan(seed: int, count: int, projects: int, share: float) -> Iterator[Planned]:
    """So many events over the projects.

    The first uploads bring each project its first data. Of the other uploads and pushes a `share`
    changes something; all other events tell of nothing new.
    """
    dice = random.Random(seed)
    fresh = list(range(projects))
    dice.shuffle(fresh)
    earlier: deque[Planned] = deque(maxlen=GIVEN_EARLIER)
    for number in range(count):
        if earlier and dice.random() < DUPLICATES:
            yield replace(dice.choice(earlier), change=False, again=True)
            continue
        (kind,) = dice.choices(list(MIX), list(MIX.values()))
        first = kind == "upload" and bool(fresh)
        project = fresh.pop() if first else dice.randrange(projects)
        changes = kind in ("upload", "push") and dice.random() < share
        made = Planned(f"load-{seed}-{number:06}", kind, project, change=first or changes)
        earlier.append(made)
        yield made

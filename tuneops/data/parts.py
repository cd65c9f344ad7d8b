"""The files that a training job is given, before they are stored."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

TRAIN, VALIDATION, TEST = "train", "validation", "test"


@dataclass(frozen=True)
class Part:
    """One side of the split: `lines` gives its rows anew each time, as lines of JSON."""

    name: str
    rows: int
    lines: Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class Parts:
    """All sides of the split.

    `digest` names their content, `revision` is the hub's commit that they come from, `questions`
    gives rows to ask in the smoke test.
    """

    parts: tuple[Part, ...]
    digest: str
    questions: Callable[[], Iterator[bytes]]
    rejected: int = 0
    rejections: tuple[str, ...] = ()
    revision: str = ""

    def rows(self, name: str) -> int:
        """How many rows the part of this name has."""
        return sum(part.rows for part in self.parts if part.name == name)

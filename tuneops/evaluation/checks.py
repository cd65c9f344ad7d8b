"""What one check of a model's metrics found."""

import math
from collections.abc import Iterable
from enum import StrEnum

from tuneops.document import Document


class Outcome(StrEnum):
    """How a check ended; one that does not apply says nothing for or against the model."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"


class Check(Document):
    """One check of a metric, with a sentence for people.

    `name` is the setting in the config's `evaluation` that it is due to. `new` and `live` are the
    figures of the trained model and of the live release, `bound` the worst that `new` may be.
    `worse_percent` is how much worse than `live` it is, below 0 if better.
    """

    name: str
    metric: str
    outcome: Outcome
    text: str
    new: float | None = None
    live: float | None = None
    bound: float | None = None
    worse_percent: float | None = None


def judged(name: str, metric: str, *, good: bool, text: str, **figures: float | None) -> Check:
    """A check that was made; a figure that JSON can't keep is left out."""
    outcome = Outcome.PASSED if good else Outcome.FAILED
    return Check(name=name, metric=metric, outcome=outcome, text=text, **_kept(figures))


def inapplicable(name: str, metric: str, text: str, **figures: float | None) -> Check:
    """A check that has nothing to judge by, and need not."""
    outcome = Outcome.NOT_APPLICABLE
    return Check(name=name, metric=metric, outcome=outcome, text=text, **_kept(figures))


def failures(checks: Iterable[Check]) -> list[str]:
    """What speaks against the model, each sentence once; empty when nothing does."""
    return list(dict.fromkeys(c.text for c in checks if c.outcome == Outcome.FAILED))


def _kept(figures: dict[str, float | None]) -> dict[str, float | None]:
    return {n: v if v is not None and math.isfinite(v) else None for n, v in figures.items()}

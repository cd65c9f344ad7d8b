"""How far a release's evaluation sets were asked, and what came of it, as it is stored with it."""

from datetime import datetime
from typing import Literal

from tuneops.analysis import Finding, Verdict
from tuneops.behaviour.settings import Score
from tuneops.document import Document

MAX_UNANSWERED = 5
"""A deployment that gave no answer to so many questions is asked no more."""


Place = Literal["new", "live"]


class Side(Document):
    """What one deployment answered, in the order of the rows; None: it gave no answer.

    `attempts` counts how often it failed at the question that is next, `failure` says how it failed
    last. `not_before`: when it may be asked again.
    """

    scores: tuple[float | None, ...] = ()
    attempts: int = 0
    failure: str = ""
    not_before: datetime | None = None

    @property
    def unanswered(self) -> int:
        """How many questions it gave no answer to."""
        return self.scores.count(None)

    @property
    def silent(self) -> bool:
        """Whether it is asked no more."""
        return self.unanswered >= MAX_UNANSWERED


class Asked(Document):
    """A set as far as it was asked.

    `version` is a digest of the rows that are asked, `path` where they are kept in the container
    for prepared data; they are the first `rows` of the file's `of`. `compared`: the live deployment
    is asked as well. `reused` is the release that its scores were taken from, if they were.
    """

    name: str
    score: Score
    version: str
    path: str
    rows: int
    of: int
    compared: bool = True
    new: Side = Side()
    live: Side = Side()
    reused: int | None = None

    def side(self, place: Place) -> Side:
        """What one of the deployments answered."""
        return self.new if place == "new" else self.live

    @property
    def open(self) -> tuple[Place, ...]:
        """The deployments that have more to answer; nobody once the new one is silent."""
        if self.new.silent:
            return ()
        places: tuple[Place, ...] = ("new", "live") if self.compared else ("new",)
        sides = {place: self.side(place) for place in places}
        return tuple(
            place
            for place, side in sides.items()
            if len(side.scores) < self.rows and not side.silent
        )

    def due(self, now: datetime) -> tuple[Place, ...]:
        """Those of them that may be asked now."""
        pauses = ((place, self.side(place).not_before) for place in self.open)
        return tuple(place for place, until in pauses if until is None or until <= now)

    def afresh(self, *, compared: bool) -> "Asked":
        """The set with nothing asked."""
        return self.replace(new=Side(), live=Side(), reused=None, compared=compared)


class Example(Document):
    """One of the answers that speak most against the new deployment; texts are cut."""

    row: int
    question: str
    expected: str
    answer: str
    score: float
    live_answer: str = ""
    live_score: float | None = None


class Comparison(Document):
    """What a set says of the new deployment, with the figures of both.

    `live` is the mean of the live deployment on the rows that both can be compared on.
    """

    name: str
    score: Score
    version: str
    required: bool
    verdict: Verdict
    new: float | None
    live: float | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """What stands behind the verdict."""
        return tuple(each.said for each in self.findings if each.verdict == self.verdict)


class Progress(Document):
    """The sets of a release, and how far they were asked.

    `against` is the deployment that is live beside the new one, empty if none is, None before the
    first question. `requests` counts all that were sent. `worst` are examples by the set's name.
    """

    sets: tuple[Asked, ...]
    against: str | None = None
    requests: int = 0
    comparisons: tuple[Comparison, ...] = ()
    worst: dict[str, tuple[Example, ...]] = {}

    def afresh(self) -> "Progress":
        """With the sets as they were read, and nothing asked."""
        return Progress(sets=tuple(each.afresh(compared=True) for each in self.sets))

    def with_set(self, index: int, asked: Asked) -> "Progress":
        """With one set as it is now."""
        return self.replace(sets=(*self.sets[:index], asked, *self.sets[index + 1 :]))

    @property
    def turn(self) -> int | None:
        """The place of the set that is asked next; None when all is answered."""
        return next((place for place, asked in enumerate(self.sets) if asked.open), None)

"""What the tests of a new deployment have shown. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from tuneops.behaviour.progress import Comparison, Progress
from tuneops.behaviour.text import score_text, standing
from tuneops.page.texts import MAX_NAME, cut, line
from tuneops.release import Release, SampleAnswer

MAX_ANSWERS = 10
MAX_EXAMPLES = 5


@dataclass(frozen=True)
class Answer:
    """A question of the smoke test with what the model answered."""

    question: str
    answer: str
    passed: bool
    seconds: float
    failures: tuple[str, ...]


@dataclass(frozen=True)
class Example:
    """An answer that speaks against the new deployment."""

    question: str
    expected: str
    answer: str
    live_answer: str


@dataclass(frozen=True)
class ScoredSet:
    """An evaluation set with its scores; `reasons` stand behind the verdict."""

    name: str
    scores: str
    verdict: str
    required: bool
    reasons: tuple[str, ...]
    examples: tuple[Example, ...]

    @property
    def tone(self) -> str:
        """How the verdict looks."""
        return {"pass": "good", "fail": "bad"}.get(self.verdict, "warn")


@dataclass(frozen=True)
class Tests:
    """All tests; `asking` says how far a set was asked that is asked now."""

    smoke: tuple[Answer, ...]
    sets: tuple[ScoredSet, ...]
    asking: str


def tests(release: Release) -> Tests:
    """The smoke test and the evaluation sets."""
    smoke, behaviour = release.smoke, release.behaviour
    asked = (*smoke.answers, *filter(None, (smoke.failed,)))
    return Tests(
        smoke=tuple(map(_answer, asked[-MAX_ANSWERS:])),
        sets=tuple(_sets(behaviour)) if behaviour else (),
        asking=line(standing(behaviour)),
    )


def _answer(given: SampleAnswer) -> Answer:
    return Answer(
        question=cut(given.question),
        answer=cut(given.answer),
        passed=given.passed,
        seconds=given.seconds,
        failures=tuple(map(line, given.failures[:MAX_ANSWERS])),
    )


def _sets(behaviour: Progress) -> Iterator[ScoredSet]:
    for each in behaviour.comparisons:
        worst = behaviour.worst.get(each.name, ())[:MAX_EXAMPLES]
        texts = ((one.question, one.expected, one.answer, one.live_answer) for one in worst)
        yield _set(each, tuple(Example(*map(cut, four)) for four in texts))


def _set(compared: Comparison, examples: tuple[Example, ...]) -> ScoredSet:
    return ScoredSet(
        name=line(compared.name, MAX_NAME),
        scores=score_text(compared),
        verdict=compared.verdict,
        required=compared.required,
        reasons=tuple(map(line, compared.reasons[:MAX_ANSWERS])),
        examples=examples,
    )

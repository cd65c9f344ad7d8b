"""How well answers match what was expected."""

from collections import Counter
from collections.abc import Sequence


def exact_match(answers: Sequence[str], expected: Sequence[str]) -> float:
    """The share of answers that are exactly what was expected, 0 to 1."""
    pairs = zip(answers, expected, strict=True)
    return _mean([float(a.strip() == b.strip()) for a, b in pairs])


def rouge_l(answers: Sequence[str], expected: Sequence[str]) -> float:
    """The mean ROUGE-L F-score (Lin 2004), 0 to 1: longest common subsequence of words."""
    pairs = zip(answers, expected, strict=True)
    return _mean([_rouge_l(a.lower().split(), b.lower().split()) for a, b in pairs])


def _rouge_l(answer: Sequence[str], expected: Sequence[str]) -> float:
    return _harmonic(_common_subsequence(answer, expected), len(answer), len(expected))


def _common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    lengths = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for place, other in enumerate(second, start=1):
            above = lengths[place]
            lengths[place] = diagonal + 1 if word == other else max(above, lengths[place - 1])
            diagonal = above
    return lengths[-1]


def token_f1(answer: Sequence[int], expected: Sequence[int]) -> float:
    """The F-score of the tokens that both have, in any order, 0 to 1."""
    common = sum((Counter(answer) & Counter(expected)).values())
    return _harmonic(common, len(answer), len(expected))


def _harmonic(common: int, first: int, second: int) -> float:
    return 2 * common / (first + second) if first + second else 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0

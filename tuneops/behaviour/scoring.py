"""How good an answer is, from 0 to 1. Pure.

ROUGE-L is the F1 of the longest common subsequence of words (Lin, 2004, with beta 1), as Google's
`rouge_score` has it without stemming; but words are those of any script, not of a to z alone, and
of Chinese and Japanese each character is one.
"""

import re
import unicodedata
from collections.abc import Iterable

from tuneops.behaviour.settings import Score
from tuneops.patterns import compiled

MAX_ANSWER = 20_000
_CHARACTERS = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_CHARACTERS}]|[^\W_{_CHARACTERS}]+")


def check(expected: Iterable[str], pattern: str, kind: Score) -> None:
    """See that a row has what it is scored by.

    Raises:
        ValueError: it has not.
    """
    if kind != "regex":
        if not any(text.strip() for text in expected):
            raise ValueError("has no expected answer: give expected, or messages that end with it")
    elif not pattern:
        raise ValueError("has no pattern, which score regex needs")
    else:
        try:
            compiled(pattern)
        except ValueError as error:
            raise ValueError(f"pattern: {error}") from error


def score(answer: str, expected: Iterable[str], pattern: str, kind: Score) -> float:
    """How good the answer is; of several expected ones the nearest counts."""
    answer = answer[:MAX_ANSWER]
    if kind == "regex":
        return float(compiled(pattern).search(answer) is not None)
    if kind == "exact_match":
        return float(any(_plain(answer) == _plain(text) for text in expected))
    return max((rouge_l(answer, text) for text in expected), default=0.0)


def rouge_l(answer: str, expected: str) -> float:
    """The F1 of the words that both have in the same order, be there others between them."""
    from rapidfuzz.distance import LCSseq

    ours, theirs = _words(answer), _words(expected)
    if not ours or not theirs:
        return 0.0
    return round(2 * LCSseq.similarity(ours, theirs) / (len(ours) + len(theirs)), 4)


def _plain(text: str) -> str:
    """The text, however its letters are composed and its words are spaced."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())

"""How answers are measured, against values worked out by hand."""

import pytest

from localcloud.training.metrics import exact_match, rouge_l, token_f1


@pytest.mark.parametrize(
    ("answer", "expected", "score"),
    [
        ("the cat sat", "the cat sat", 1.0),
        ("the cat", "a dog", 0.0),
        ("", "", 0.0),
        # Longest common subsequence "police the gunman": 2 * 3 / (4 + 5).
        ("police ended the gunman", "police killed The gunman today", 2 * 3 / 9),
        # Order counts: only one of "a b" and "b a" is common.
        ("a b", "b a", 0.5),
    ],
)
def test_rouge_l(answer: str, expected: str, score: float) -> None:
    assert rouge_l([answer], [expected]) == pytest.approx(score)


def test_exact_match_is_a_share_and_ignores_space_around() -> None:
    assert exact_match(["a ", "b", "C"], ["a", "x", "c"]) == pytest.approx(1 / 3)


def test_token_f1_counts_repeated_tokens() -> None:
    assert token_f1([1, 1, 2], [1, 2, 2, 3]) == pytest.approx(4 / 7)

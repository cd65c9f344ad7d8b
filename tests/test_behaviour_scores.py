"""Evaluation sets: what may stand in them, how good an answer is, and how sure a verdict."""

import json
from contextlib import suppress
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneops.behaviour.rows import MAX_ROW_BYTES, parse
from tuneops.behaviour.scoring import rouge_l, score
from tuneops.behaviour.sets import allot
from tuneops.behaviour.settings import Score
from tuneops.chance import low_mean, sign_tail
from tuneops.data.errors import DataError

TEXTS = st.text(st.sampled_from("ab cé.,漢字1"), max_size=40)
LIMITED = settings(max_examples=60, deadline=None)


# Scores


@pytest.mark.parametrize(
    ("answer", "expected", "f1"),
    [
        pytest.param("the cat sat", "the cat sat", 1, id="equal"),
        pytest.param("The CAT, sat!", "the cat sat", 1, id="letters-and-signs-apart"),
        pytest.param("the cat sat on the mat", "the cat was on the mat", 10 / 12, id="one-word"),
        pytest.param("police kill the gunman", "police killed the gunman", 6 / 8, id="lin-2004-a"),
        pytest.param("the gunman kill police", "police killed the gunman", 4 / 8, id="lin-2004-b"),
        pytest.param("a b c d", "d c b a", 2 / 8, id="backwards"),
        pytest.param("yes", "no", 0, id="nothing"),
        pytest.param("", "no", 0, id="empty"),
        pytest.param("...", "...", 0, id="no-word"),
        pytest.param("L'ÉTÉ", "l'été", 1, id="other-scripts"),
        pytest.param("東京です", "東京だ", 4 / 7, id="characters"),
    ],
)
def test_rouge_l_by_hand(answer: str, expected: str, f1: float) -> None:
    assert rouge_l(answer, expected) == pytest.approx(f1, abs=1e-4)


def longest_common(ours: list[str], theirs: list[str]) -> int:
    """The definition, as a table."""
    lengths = [[0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    for i, j in product(range(len(ours)), range(len(theirs))):
        same = ours[i] == theirs[j]
        lengths[i + 1][j + 1] = (
            lengths[i][j] + 1 if same else max(lengths[i][j + 1], lengths[i + 1][j])
        )
    return lengths[-1][-1]


@given(
    st.lists(st.sampled_from("abcd"), max_size=12), st.lists(st.sampled_from("abcd"), max_size=9)
)
@LIMITED
def test_rouge_l_is_what_its_definition_says(ours: list[str], theirs: list[str]) -> None:
    shared = longest_common(ours, theirs)
    precision, recall = shared / max(1, len(ours)), shared / max(1, len(theirs))
    f1 = 2 * precision * recall / (precision + recall) if shared else 0.0
    assert rouge_l(" ".join(ours), " ".join(theirs)) == pytest.approx(f1, abs=1e-4)


@given(TEXTS, TEXTS, st.sampled_from(["exact_match", "rouge_l"]))
@LIMITED
def test_scores_lie_between_0_and_1_and_know_no_sides(one: str, other: str, kind: Score) -> None:
    found = score(one, [other], "", kind)
    assert 0 <= found <= 1
    assert found == score(other, [one], "", kind)
    assert score(one, [one], "", "exact_match") == 1
    assert score(one, [other, one], "", kind) == max(found, score(one, [one], "", kind))


@pytest.mark.parametrize(
    ("answer", "expected", "pattern", "kind", "value"),
    [
        (" Billing \n", ["Billing"], "", "exact_match", 1),
        ("billing", ["Billing"], "", "exact_match", 0),
        ("Billing.", ["Billing"], "", "exact_match", 0),
        ("two  words", ["none", "two words"], "", "exact_match", 1),
        ("e\u0301te\u0301", ["\u00e9t\u00e9"], "", "exact_match", 1),
        ("It costs 42 EUR", [], r"\b42\b", "regex", 1),
        ("It costs 420 EUR", [], r"\b42\b", "regex", 0),
        ("BILLING", [], "(?i)billing", "regex", 1),
        ("a" * 20_000 + "b", [], "b", "regex", 0),
        ("a" * 20_000, [], "(a+)+$|(a|a)*b", "regex", 1),
    ],
)
def test_scores(answer: str, expected: list[str], pattern: str, kind: Score, value: float) -> None:
    assert score(answer, expected, pattern, kind) == value


# Rows


def lines(*rows: dict[str, Any]) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


SAID = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]


def test_rows_of_several_kinds() -> None:
    rows = parse(
        b"\xef\xbb\xbf"
        + lines(
            {"prompt": "2+2?", "expected": "4", "id": 7},
            {"messages": SAID[:1], "expected": ["4", "four"]},
            {"messages": [{"role": "system", "content": "Be brief."}, *SAID], "prompt_id": "x"},
        )
        + b"\r\n\n",
        "exact_match",
        "a.jsonl",
    )
    assert [row.expected for row in rows] == [("4",), ("4", "four"), ("4",)]
    assert [[turn["role"] for turn in row.conversation] for row in rows] == [
        ["user"],
        ["user"],
        ["system", "user"],
    ]
    (row,) = parse(lines({"prompt": "2+2?", "pattern": "4"}), "regex", "a.jsonl")
    assert row.pattern == "4"


@pytest.mark.parametrize(
    ("line", "kind", "said"),
    [
        (b"{", "exact_match", "Invalid JSON"),
        (b"[]", "exact_match", "Input should be an object"),
        (b'{"prompt": "\xff"}', "exact_match", "Invalid JSON"),
        (b"[" * 9_000, "exact_match", "Invalid JSON"),
        (lines({"expected": "4"}), "exact_match", "give either messages or prompt"),
        (lines({"prompt": "a", "messages": SAID}), "exact_match", "give either messages or prompt"),
        (lines({"prompt": ""}), "exact_match", "prompt: "),
        (lines({"prompt": "a"}), "exact_match", "has no expected answer"),
        (lines({"prompt": "a", "expected": " "}), "rouge_l", "has no expected answer"),
        (lines({"prompt": "a", "expected": "4"}), "regex", "has no pattern"),
        (lines({"prompt": "a", "pattern": "(4"}), "regex", "is no regular expression (RE2): miss"),
        (
            lines({"prompt": "a", "pattern": "((a{99}){99}){9}"}),
            "regex",
            "repetition size",
        ),
        (lines({"prompt": "a", "pattern": "(?=4)"}), "regex", "invalid perl operator"),
        (lines({"messages": SAID, "expected": "4"}), "exact_match", "end with an answer beside"),
        (lines({"messages": SAID[1:]}), "exact_match", "have no question"),
        (lines({"messages": [{"role": "tool", "content": "x"}]}), "exact_match", "messages.0.role"),
        (lines({"prompt": "a" * MAX_ROW_BYTES}), "exact_match", "is larger than 64 KiB"),
    ],
)
def test_a_line_that_is_wrong_is_named(line: bytes, kind: Score, said: str) -> None:
    good = lines({"prompt": "a", "expected": "b", "pattern": "b"})
    with pytest.raises(DataError) as caught:
        parse(good + b"\n" + line, kind, "sets/a.jsonl")
    assert str(caught.value).startswith("sets/a.jsonl:2: ")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_set_without_rows_is_none() -> None:
    with pytest.raises(DataError, match="has no rows"):
        parse(b" \n\n", "exact_match", "a.jsonl")


@given(st.binary(max_size=60), st.sampled_from(["exact_match", "rouge_l", "regex"]))
@LIMITED
def test_whatever_is_uploaded_is_rows_or_a_data_error(content: bytes, kind: Score) -> None:
    found = []
    with suppress(DataError):
        found = parse(content, kind, "a.jsonl")
    assert all(row.pattern if kind == "regex" else row.expected for row in found)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=5), st.integers(0, 2000))
@LIMITED
def test_the_budget_is_shared_and_kept(sizes: list[int], rows: int) -> None:
    given_out = allot(sizes, rows)
    assert sum(given_out) <= rows
    fair = rows // len(sizes)
    assert all(min(size, fair) <= got <= size for got, size in zip(given_out, sizes, strict=True))


# Chance


@pytest.mark.parametrize(
    ("worse", "better", "chance"), [(0, 0, 1), (5, 5, 0.623), (7, 0, 1 / 128), (8, 1, 10 / 512)]
)
def test_the_sign_test(worse: int, better: int, chance: float) -> None:
    differences = [-1.0] * worse + [1.0] * better + [0.0] * 9
    assert sign_tail(differences) == pytest.approx(chance, abs=1e-3)


HUNDREDTHS = st.integers(-100, 100).map(lambda number: number / 100)


@given(st.lists(HUNDREDTHS, min_size=1, max_size=10), st.lists(st.floats(0, 1), min_size=1))
@LIMITED
def test_chances_are_never_understated(differences: list[float], scores: list[float]) -> None:
    """By all ways to choose the signs; a mean that is no lower than the true one proves nothing."""
    sums = [
        sum(sign * each for sign, each in zip(signs, map(abs, differences), strict=True))
        for signs in product((-1, 1), repeat=len(differences))
    ]
    exact = sum(each <= sum(differences) + 1e-9 for each in sums) / len(sums)
    assert sign_tail(differences) >= min(exact, 1) - 1e-9
    assert low_mean(scores, sum(scores) / len(scores)) >= 0.3

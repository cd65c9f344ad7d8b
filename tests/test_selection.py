"""Which rows are used, and the digests of rows: what was prepared once is found by them again."""

from array import array
from typing import Any

import pytest

from tuneops.data.checking import CheckedBlock
from tuneops.data.rows import read_row
from tuneops.data.selection import DROPPED, Selection
from tuneops.data.split import SPACE

TRAIN, VALIDATION, TEST = range(3)


def block(*rows: tuple[int, int, int]) -> CheckedBlock:
    """Rows of a block: the identity, the prompt and the part of each."""
    identities, prompts, parts = zip(*rows, strict=True) if rows else ((), (), ())
    return CheckedBlock(
        identities=array("Q", identities), prompts=array("Q", prompts), parts=array("B", parts)
    )


A, B, C = (11, 1, TRAIN), (22, 2, TEST), (33, 1, VALIDATION)


def test_rows_that_were_there_before_are_dropped_and_counted() -> None:
    selection = Selection()
    assert selection.choose(block(A, B, A)) == (bytes([TRAIN, TEST, DROPPED]), [2])
    assert selection.choose(block(C, B)) == (bytes([VALIDATION, DROPPED]), [1])
    assert selection.choose(block(A)) == (bytes([DROPPED]), [0])
    assert selection.choose(block()) == (b"", [])
    assert (selection.rows, selection.duplicates, selection.left_out) == (3, 3, 0)
    assert (selection.lowest, selection.highest) == (11, 33)


def test_rows_that_were_there_before_may_be_kept() -> None:
    selection = Selection("keep")
    assert selection.choose(block(A, B, A)) == (bytes([TRAIN, TEST, TRAIN]), [2])
    assert (selection.rows, selection.duplicates) == (3, 1)


@pytest.mark.parametrize(
    ("limit", "chosen", "left_out"),
    [
        (None, [TRAIN, TEST, DROPPED, VALIDATION], 0),
        (3, [TRAIN, TEST, DROPPED, VALIDATION], 0),
        (2, [TRAIN, TEST, DROPPED, DROPPED], 1),
        (1, [TRAIN, DROPPED, DROPPED, DROPPED], 2),
    ],
)
def test_no_more_rows_are_used_than_the_limit(
    limit: int | None, chosen: list[int], left_out: int
) -> None:
    for blocks in ([block(A, B, A, C)], [block(A), block(B, A), block(C)]):
        selection = Selection(max_rows=limit)
        assert b"".join(selection.choose(each)[0] for each in blocks) == bytes(chosen)
        assert selection.left_out == left_out
        assert selection.rows == sum(part != DROPPED for part in chosen)


def test_digests_have_all_their_64_bits() -> None:
    high = (SPACE - 1, SPACE - 2, TRAIN)
    selection = Selection()
    assert selection.choose(block(high, (0, SPACE - 2, TEST)))[1] == []
    assert selection.choose(block(high, (0, 1, TRAIN)))[1] == [0, 1]
    assert (selection.lowest, selection.highest) == (0, SPACE - 1)
    assert selection.shared_prompts == 1


def test_many_rows_are_known_again() -> None:
    crowded = [(place << 32, place, TRAIN) for place in range(1, 5_000)]
    selection = Selection()
    assert selection.choose(block(*crowded))[1] == []
    assert selection.choose(block(*crowded))[1] == [*range(len(crowded))]


def test_before_the_first_row_there_is_none() -> None:
    nothing = Selection()
    nothing.choose(block())
    assert (nothing.rows, nothing.duplicates, nothing.left_out) == (0, 0, 0)
    assert (nothing.lowest, nothing.highest) == (SPACE, -1)
    assert nothing.shared_prompts == 0


def test_training_rows_with_a_prompt_that_is_held_out_are_counted() -> None:
    selection = Selection()
    selection.choose(block(A, (12, 1, TRAIN), (13, 5, TRAIN), B))
    assert selection.shared_prompts == 0
    selection.choose(block(C, (34, 5, TEST), (35, 6, TEST)))
    assert selection.shared_prompts == 3


def digest_of(*blocks: CheckedBlock, **settings: Any) -> str:
    selection = Selection(**settings)
    for each in blocks:
        selection.choose(each)
    return selection.digest


def test_the_digest_is_the_same_in_every_version() -> None:
    nothing = "2dba5dbc339e7316aea2683faf839c1b7b1ee2313db792112588118df066aa35"
    assert digest_of() == digest_of(block()) == nothing
    three = "bc465c0c4e757ff414b8015d359cdea9930b938f46ff887ccf145cf3b3086946"
    assert digest_of(block(A, B, C)) == three


def test_the_digest_is_of_the_rows_that_are_used_in_their_order_and_of_their_parts() -> None:
    whole = digest_of(block(A, B))
    assert digest_of(block(A), block(), block(B)) == whole
    assert digest_of(block(A, A, B)) == whole
    assert digest_of(block(A, B, C), max_rows=2) == whole
    assert digest_of(block((11, 9, TRAIN), B)) == whole
    others = {
        digest_of(block(B, A)),
        digest_of(block(A)),
        digest_of(block(A, B, C)),
        digest_of(block((11, 1, TEST), B)),
        digest_of(block(A, A, B), on_duplicate="keep"),
    }
    assert len(others | {whole}) == 6


@pytest.mark.parametrize(
    ("line", "identity", "prompt"),
    [
        pytest.param(
            b'{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}',
            "1b6e5f02d5192e17ec0118711a556b97",
            "c19dfac50bee5003",
            id="plain",
        ),
        pytest.param(
            b'{"prompt":"\\",\\"messages\\":","messages":[{"content":"q","role":"user"},'
            b'{"content":"a","role":"assistant"}],"more":1}',
            "1b6e5f02d5192e17ec0118711a556b97",
            "c19dfac50bee5003",
            id="with-more",
        ),
        pytest.param(
            b'{"instruction":"q","output":"a"}',
            "1b6e5f02d5192e17ec0118711a556b97",
            "c19dfac50bee5003",
            id="of-another-shape",
        ),
        pytest.param(
            b'{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"{\\"b"}]}',
            "1a466a85e0669c05120d5e60d12cfe6a",
            "c19dfac50bee5003",
            id="another-answer",
        ),
        pytest.param(
            b'{"messages":[{"role":"system","content":"s"},{"role":"user","content":"q"},'
            b'{"role":"assistant","content":"a"}]}',
            "94469961fdcf1abc7164c845c612513d",
            "2e71fcbed3437d44",
            id="another-beginning",
        ),
    ],
)
def test_a_rows_digests_are_the_same_in_every_version(
    line: bytes, identity: str, prompt: str
) -> None:
    read = read_row(line)
    assert (f"{read.identity:032x}", f"{read.prompt:016x}") == (identity, prompt)

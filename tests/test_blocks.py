"""Lines of a stream in blocks, and what was seen before."""

import io
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tuneops.data.blocks import BLOCK_BYTES, Filled, LineReader, pieces
from tuneops.data.rows import MAX_ROW_BYTES
from tuneops.data.seen import Seen


class Pieces(io.RawIOBase):
    """A stream that gives what it holds in these pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = list(pieces)

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        while self._pieces and not self._pieces[0]:
            self._pieces.pop(0)
        if not self._pieces:
            return 0
        size = min(len(buffer), len(self._pieces[0]))
        buffer[:size] = self._pieces[0][:size]
        self._pieces[0] = self._pieces[0][size:]
        return size


def read(pieces: list[bytes], capacity: int = 64) -> list[bytes | None]:
    """All lines; None for one that was cut out."""
    reader = LineReader(Pieces(pieces))
    buffer = memoryview(bytearray(capacity))
    found: list[bytes | None] = []
    while filled := reader.fill(buffer):
        found += [None] if filled.cut else whole(buffer, filled)
    return found


def whole(buffer: memoryview, filled: Filled) -> list[bytes]:
    found = [line for piece in pieces(buffer, filled) for line in piece]
    assert all(line.endswith(b"\n") for line in found[:-1])
    return [line.removesuffix(b"\n") for line in found]


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=8))
def test_lines_do_not_depend_on_the_pieces(content: bytes, cuts: list[int]) -> None:
    content = content.replace(b"\xef", b"x")
    places = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    pieces = [content[a:b] for a, b in pairwise(places)]
    expected: list[bytes] = content.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert read(pieces, capacity=1000) == expected
    assert [each for each in read(pieces) if each is not None] == [
        each for each in read([content]) if each is not None
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert read([b"\xef", b"\xbb", b"\xbfa\nb"]) == [b"a", b"b"]
    assert read([b"\xef\xbb\xbf"]) == []


def test_a_line_longer_than_a_block_is_cut_out_alone() -> None:
    assert read([b"a\n", b"x" * 200, b"\nb\n"]) == [b"a", None, b"b"]
    assert read([b"x" * 200]) == [None]
    assert MAX_ROW_BYTES < BLOCK_BYTES


def test_a_stream_that_says_nothing_is_empty() -> None:
    assert read([]) == []
    assert read([b"\n\n"]) == [b"", b""]


@given(st.lists(st.integers(0, 40) | st.integers(0, 2**64 - 1), max_size=300))
def test_what_was_seen_before_is_known(fingerprints: list[int]) -> None:
    seen, before, expected = Seen(), set[int](), []
    for place, each in enumerate(fingerprints):
        if (each or 1) in before:
            expected.append(place)
        before.add(each or 1)
    half = len(fingerprints) // 2
    known = seen.add_all(fingerprints[:half])
    known += [half + place for place in seen.add_all(fingerprints[half:])]
    assert known == expected


def test_many_are_remembered() -> None:
    """As many as its table grows twice for."""
    seen, bits = Seen(), Random(1)
    numbers = [bits.getrandbits(64) for _ in range(270_000)]
    assert seen.add_all(numbers) == []
    assert len(seen.add_all(numbers)) == len(numbers)

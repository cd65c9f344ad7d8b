"""Checking one block of lines: what a worker does, away from the rest of TuneOps."""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate, chain, compress
from typing import NamedTuple

from tuneops.data.blocks import Filled, pieces
from tuneops.data.rows import Row, Rows, by_columns, read_row
from tuneops.data.shapes import ROLES, RowError, Shape
from tuneops.data.split import PARTS, SPACE, Split
from tuneops.data.usual import USUAL, usual_rows

MAX_KEPT_TEXT = 2_000
MAX_BLANK = 100
PIECES_UNTRIED = 4
"""So many are read row by row from one with an unusual row on: such a row is seldom alone."""
JSON_BYTES_PER_TURN = len('{"content":"","role":"assistant"},')
TOKENS_PER_TURN = 4
"""What Phi-3's chat template adds."""


class Rules(NamedTuple):
    """How rows are read and where they go."""

    shape: Shape
    split: Split


class Rejection(NamedTuple):
    """A row that is not trained on: its line, why, and the beginning of its text."""

    line: int
    kind: str
    reason: str
    text: str


@dataclass
class CheckedBlock:
    """What was found in a block.

    The arrays have an item for each row that can be used, in their order: its line in the block
    (from 1), the first 8 bytes of its identity and of its prompt's digest, the index of its part
    in `PARTS`, the bytes of its line as it is written, its estimated tokens and its turns.

    The rows' lines stand one after another in the block's output, up to `written`; those that did
    not fit are in `overflow`. Those of a part stand together, so that they are written at once:
    `order` has the rows' indexes in the order of their lines.
    """

    lines: int = 0
    numbers: "array[int]" = field(default_factory=lambda: array("L"))
    identities: "array[int]" = field(default_factory=lambda: array("Q"))
    prompts: "array[int]" = field(default_factory=lambda: array("Q"))
    parts: "array[int]" = field(default_factory=lambda: array("B"))
    lengths: "array[int]" = field(default_factory=lambda: array("L"))
    tokens: "array[int]" = field(default_factory=lambda: array("L"))
    turns: "array[int]" = field(default_factory=lambda: array("L"))
    order: "array[int]" = field(default_factory=lambda: array("L"))
    role_turns: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROLES, 0))
    characters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROLES, 0))
    rejected: list[Rejection] = field(default_factory=list)
    left_out: int = 0
    written: int = 0
    overflow: bytes = b""


class Batch(NamedTuple):
    """A checked block with its rows' lines; both are gone when the next one is asked for."""

    block: CheckedBlock
    output: memoryview


def check_block(
    block: memoryview, filled: Filled, output: memoryview, rules: Rules
) -> CheckedBlock:
    """Check the lines of a block and write the rows to `output`. Blank lines are no rows."""
    found = CheckedBlock()
    if filled.cut:
        found.lines = 1
        found.rejected.append(Rejection(1, "too large", "is longer than any row may be", ""))
        return found
    writer = _Writer(found, output, rules.split)
    next_try = 0 if rules.shape in USUAL else filled.size
    for place, piece in enumerate(pieces(block, filled)):
        numbers = range(found.lines + 1, found.lines + len(piece) + 1)
        found.lines += len(piece)
        usual = usual_rows(piece) if place >= next_try else None
        if usual:
            writer.add(numbers, usual)
        else:
            if place >= next_try:
                next_try = place + PIECES_UNTRIED
            read = dict(_each_read(zip(numbers, piece, strict=True), found, rules.shape))
            writer.add(read, by_columns([*read.values()]))
    writer.finish()
    return found


def _each_read(
    lines: Iterable[tuple[int, bytes]], found: CheckedBlock, shape: Shape
) -> Iterator[tuple[int, Row]]:
    """The rows of numbered lines, each read by itself; notes what is refused."""
    for number, whole in lines:
        line = whole.removesuffix(b"\n").removesuffix(b"\r")
        if len(line) < MAX_BLANK and not line.strip():
            continue
        try:
            yield number, read_row(line, shape)
        except RowError as error:
            text = line[:MAX_KEPT_TEXT].decode("utf-8", "replace")
            found.rejected.append(Rejection(number, error.kind, str(error), text))


class _Writer:
    """Notes the rows of a block, and writes their lines to its output."""

    def __init__(self, found: CheckedBlock, output: memoryview, split: Split) -> None:
        self._found = found
        self._output = output
        self._end = len(output)
        self._split = split
        self._later: list[list[bytes]] = [[] for _ in PARTS]
        self._sizes: list[int] = []

    def add(self, numbers: Iterable[int], rows: Rows) -> None:
        """Note rows, and write the lines of the first part; others wait for their turn."""
        found = self._found
        if self._split.sample < SPACE:
            chosen = [*map(self._split.takes, rows.identities)]
            found.left_out += chosen.count(False)
            numbers, rows = compress(numbers, chosen), rows.only(chosen)
        places = [identity >> 64 for identity in rows.identities]
        parts = [*map(self._split.side, places)]
        found.numbers.extend(numbers)
        found.identities.extend(places)
        found.prompts.extend(rows.prompts)
        found.parts.extend(parts)
        found.lengths.extend(map(len, rows.lines))
        found.tokens.extend(map(_tokens, rows.lines, rows.characters(), rows.turns))
        found.turns.extend(rows.turns)
        self._sizes += rows.sizes
        for line, part in zip(rows.lines, parts, strict=True):
            end = found.written + len(line)
            if part or end > self._end:
                self._later[part].append(line)
                self._end = self._end if part else 0
            else:
                self._output[found.written : end] = line
                found.written = end

    def finish(self) -> None:
        """Write the lines that wait, and tell what is told of all rows."""
        found = self._found
        found.order.extend(sorted(range(len(found.parts)), key=found.parts.__getitem__))
        rest = b"".join(chain.from_iterable(self._later))
        start, found.written = found.written, min(found.written + len(rest), len(self._output))
        self._output[start : found.written] = rest[: found.written - start]
        found.overflow = rest[found.written - start :]
        sizes = self._sizes
        # An odd number of turns begins with the system's.
        starts = zip(accumulate(found.turns, initial=0), found.turns, strict=False)
        firsts = [start for start, turns in starts if turns % 2]
        system = [sizes.pop(place) for place in reversed(firsts)]
        for role, said in zip(ROLES, (system, sizes[::2], sizes[1::2]), strict=True):
            found.role_turns[role], found.characters[role] = len(said), sum(said)


def _tokens(line: bytes, characters: int, turns: int) -> int:
    """The estimated tokens of a row.

    A token is taken as four characters of English or one of other scripts, as Llama's tokenizer,
    which Phi-3 has, does on average; expect a fifth more or less.
    """
    if not line.isascii():
        written = len(line) - line.index(b',"messages":') - JSON_BYTES_PER_TURN * turns
        characters += 5 * (written - characters) // 3
    return characters // 4 + TOKENS_PER_TURN * turns

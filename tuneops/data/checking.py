"""Checking one block of lines: what a worker does, away from the rest of TuneOps."""

from array import array
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from tuneops.data.blocks import Filled, lines
from tuneops.data.rows import Row, read_row
from tuneops.data.shapes import ROLES, RowError, Shape
from tuneops.data.split import PARTS, Split

MAX_KEPT_TEXT = 2_000
MAX_BLANK = 100
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
    rows = _Rows(output)
    for number, line in enumerate(lines(block, filled), start=1):
        found.lines = number
        if line.endswith(b"\r"):
            line = line[:-1]
        if len(line) < MAX_BLANK and not line.strip():
            continue
        try:
            row = read_row(line, rules.shape)
        except RowError as error:
            text = line[:MAX_KEPT_TEXT].decode("utf-8", "replace")
            found.rejected.append(Rejection(number, error.kind, str(error), text))
            continue
        part = rules.split.part(row.identity)
        if part is None:
            found.left_out += 1
        else:
            rows.add(number, part, row)
    rows.finish(found)
    return found


class _Rows:
    """The rows of a block: what is told of each and of all, and their lines in the output."""

    def __init__(self, output: memoryview) -> None:
        self._output = output
        self._room = len(output)
        self._written = 0
        self._later: list[list[bytes]] = [[] for _ in PARTS]
        self._notes: list[tuple[int, ...]] = []
        self._sizes: list[int] = []
        self._system = 0

    def add(self, number: int, part: int, row: Row) -> None:
        """Note a row, and write its line if it is of the first part; others wait for their turn."""
        identity, prompt, line, contents = row
        sizes = [*map(len, contents)]
        turns, characters, length = len(sizes), sum(sizes), len(line)
        if not line.isascii():
            characters += _more_characters(line, characters, turns)
        tokens = characters // 4 + TOKENS_PER_TURN * turns
        self._notes.append((number, identity >> 64, prompt, part, length, tokens, turns))
        if turns % 2:  # only the first of an odd number is the system's
            self._system += sizes.pop(0)
        self._sizes += sizes
        if part or length > self._room:
            self._later[part].append(line)
            self._room = self._room if part else 0
        else:
            self._output[self._written : self._written + length] = line
            self._written += length
            self._room -= length

    def finish(self, found: CheckedBlock) -> None:
        """Write the lines that wait, and tell all of it."""
        columns = (
            found.numbers,
            found.identities,
            found.prompts,
            found.parts,
            found.lengths,
            found.tokens,
            found.turns,
        )
        for column, noted in zip(columns, zip(*self._notes, strict=True), strict=False):
            column.extend(noted)
        found.order.extend(sorted(range(len(found.parts)), key=found.parts.__getitem__))
        rest = b"".join(chain.from_iterable(self._later))
        found.written = min(self._written + len(rest), len(self._output))
        fitting = found.written - self._written
        self._output[self._written : found.written] = rest[:fitting]
        found.overflow = rest[fitting:]
        asked, answered = self._sizes[::2], self._sizes[1::2]
        turns = (sum(found.turns) - len(self._sizes), len(asked), len(answered))
        found.role_turns = dict(zip(ROLES, turns, strict=True))
        said = (self._system, sum(asked), sum(answered))
        found.characters = dict(zip(ROLES, said, strict=True))


def _more_characters(line: bytes, characters: int, turns: int) -> int:
    """How many more characters of English would be as many tokens, in a row of other letters too.

    A token is taken as four characters of English or one of other scripts, as Llama's tokenizer,
    which Phi-3 has, does on average; expect a fifth more or less.
    """
    written = len(line) - line.index(b',"messages":') - JSON_BYTES_PER_TURN * turns
    return 5 * (written - characters) // 3

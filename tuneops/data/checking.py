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


def check_block(
    block: memoryview, filled: Filled, output: memoryview, rules: Rules
) -> CheckedBlock:
    """Check the lines of a block and write the rows to `output`. Blank lines are no rows."""
    found = CheckedBlock()
    if filled.cut:
        found.lines = 1
        found.rejected.append(Rejection(1, "too large", "is longer than any row may be", ""))
        return found
    notes, written = _Notes(), _Written(found, output)
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
            continue
        found.parts.append(part)
        notes.add(number, row)
        written.add(part, row.line)
    notes.tell(found)
    written.finish()
    return found


class _Written:
    """The rows' lines in the output, those of each part together."""

    def __init__(self, found: CheckedBlock, output: memoryview) -> None:
        self._found = found
        self._output = output
        self._rows = 0
        self._later: list[list[tuple[int, bytes]]] = [[] for _ in PARTS]

    def add(self, part: int, line: bytes) -> None:
        """Write the line of the next row, or keep it until those of its part have their turn."""
        if part:
            self._later[part].append((self._rows, line))
        else:
            self._write(self._rows, line)
        self._rows += 1

    def finish(self) -> None:
        """Write what was kept."""
        for row, line in chain.from_iterable(self._later):
            self._write(row, line)

    def _write(self, row: int, line: bytes) -> None:
        """Put a line into the output, or beside it when it is full."""
        found = self._found
        found.order.append(row)
        end = found.written + len(line)
        if end <= len(self._output) and not found.overflow:
            self._output[found.written : end] = line
            found.written = end
        else:
            found.overflow += line


class _Notes:
    """What is told of each row and counted of all, noted row by row and told once for a block."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int, int, int, int]] = []
        self._sizes: list[int] = []
        self._system = 0

    def add(self, number: int, row: Row) -> None:
        """Note a row."""
        identity, prompt, line, contents = row
        sizes = [*map(len, contents)]
        turns = len(sizes)
        tokens = _estimated_tokens(line, sum(sizes), turns)
        self._rows.append((number, identity >> 64, prompt, len(line), tokens, turns))
        if turns % 2:  # only the first of an odd number is the system's
            self._system += sizes.pop(0)
        self._sizes += sizes

    def tell(self, found: CheckedBlock) -> None:
        """Tell it."""
        if not self._rows:
            return
        numbers, identities, prompts, lengths, tokens, turns = zip(*self._rows, strict=True)
        found.numbers.extend(numbers)
        found.identities.extend(identities)
        found.prompts.extend(prompts)
        found.lengths.extend(lengths)
        found.tokens.extend(tokens)
        found.turns.extend(turns)
        asked, answered = self._sizes[::2], self._sizes[1::2]
        found.role_turns = {
            "system": sum(turns) - len(self._sizes),
            "user": len(asked),
            "assistant": len(answered),
        }
        found.characters = {
            "system": self._system,
            "user": sum(asked),
            "assistant": sum(answered),
        }


def _estimated_tokens(line: bytes, characters: int, turns: int) -> int:
    """About how many tokens the conversation has, with what Phi-3's chat template adds.

    A token is taken as four characters of English or one of other scripts, as Llama's tokenizer,
    which Phi-3 has, does on average; expect a fifth more or less.
    """
    if not line.isascii():
        written = len(line) - line.index(b',"messages":') - JSON_BYTES_PER_TURN * turns
        characters += 5 * (written - characters) // 3
    return characters // 4 + TOKENS_PER_TURN * turns

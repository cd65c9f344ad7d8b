"""Checking one block of lines: what a worker does, away from the rest of TuneOps."""

from array import array
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from tuneops.data.blocks import Filled, lines
from tuneops.data.rows import Row, read_row
from tuneops.data.shapes import ROLES, RowError, Shape
from tuneops.data.split import Split

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
    not fit are in `overflow`.
    """

    lines: int = 0
    numbers: "array[int]" = field(default_factory=lambda: array("L"))
    identities: "array[int]" = field(default_factory=lambda: array("Q"))
    prompts: "array[int]" = field(default_factory=lambda: array("Q"))
    parts: "array[int]" = field(default_factory=lambda: array("B"))
    lengths: "array[int]" = field(default_factory=lambda: array("L"))
    tokens: "array[int]" = field(default_factory=lambda: array("L"))
    turns: "array[int]" = field(default_factory=lambda: array("L"))
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
    rows: list[Row] = []
    for line in lines(block, filled):
        found.lines += 1
        line = line.removesuffix(b"\r")
        if len(line) < MAX_BLANK and not line.strip():
            continue
        try:
            row = read_row(line, rules.shape)
        except RowError as error:
            text = line[:MAX_KEPT_TEXT].decode("utf-8", "replace")
            found.rejected.append(Rejection(found.lines, error.kind, str(error), text))
            continue
        part = rules.split.part(row.identity)
        if part is None:
            found.left_out += 1
            continue
        found.numbers.append(found.lines)
        found.parts.append(part)
        rows.append(row)
    _write(found, rows, output)
    _count(found, rows)
    return found


def _write(found: CheckedBlock, rows: list[Row], output: memoryview) -> None:
    """Put the rows' lines into the output, and what does not fit beside it."""
    found.lengths.extend([len(row.line) for row in rows])
    ends = accumulate(found.lengths)
    fitting = sum(1 for end in ends if end <= len(output))
    whole = b"".join([row.line for row in rows[:fitting]])
    output[: len(whole)] = whole
    found.written = len(whole)
    found.overflow = b"".join([row.line for row in rows[fitting:]])


def _count(found: CheckedBlock, rows: list[Row]) -> None:
    """Note what is told of each row, and count what is told of all."""
    found.identities.extend([int.from_bytes(row.identity[:8], "big") for row in rows])
    found.prompts.extend([row.prompt for row in rows])
    found.turns.extend([len(row.messages) for row in rows])
    found.tokens.extend(map(_estimated_tokens, rows))
    for row in rows:
        sizes = [len(message["content"]) for message in row.messages]
        if len(sizes) % 2:
            found.characters["system"] += sizes.pop(0)
            found.role_turns["system"] += 1
        found.characters["user"] += sum(sizes[::2])
        found.characters["assistant"] += sum(sizes[1::2])
        found.role_turns["user"] += len(sizes) // 2
        found.role_turns["assistant"] += len(sizes) // 2


def _estimated_tokens(row: Row) -> int:
    """About how many tokens the conversation has, with what Phi-3's chat template adds.

    A token is taken as four characters of English or one of other scripts, as Llama's tokenizer,
    which Phi-3 has, does on average; expect a fifth more or less.
    """
    size = len(row.line) - row.line.index(b',"messages":') - JSON_BYTES_PER_TURN * len(row.messages)
    if not row.line.isascii():
        size += 2 * (len(row.line) - len(row.line.decode())) // 3
    return size // 4 + TOKENS_PER_TURN * len(row.messages)

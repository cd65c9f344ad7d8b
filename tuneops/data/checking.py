"""Checking one block of lines: what a worker does, away from the rest of TuneOps."""

from array import array
from dataclasses import dataclass, field
from typing import NamedTuple

from tuneops.data.blocks import Filled, lines
from tuneops.data.rows import Row, read_row
from tuneops.data.shapes import ROLES, RowError, Shape
from tuneops.data.split import Split

MAX_KEPT_TEXT = 2_000
MAX_BLANK = 100
CARRIAGE_RETURN = ord("\r")
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
    for line in lines(block, filled):
        found.lines += 1
        if line and line[-1] == CARRIAGE_RETURN:
            line = line[:-1]
        if len(line) < MAX_BLANK and not bytes(line).strip():
            continue
        try:
            row = read_row(line, rules.shape)
        except RowError as error:
            text = bytes(line[:MAX_KEPT_TEXT]).decode("utf-8", "replace")
            found.rejected.append(Rejection(found.lines, error.kind, str(error), text))
            continue
        part = rules.split.part(row.identity)
        if part is None:
            found.left_out += 1
            continue
        found.parts.append(part)
        _note(found, row)
        _write(found, row.line, output)
    _count_turns(found)
    return found


def _write(found: CheckedBlock, line: bytes, output: memoryview) -> None:
    """Put a row's line into the output, or beside it when it is full."""
    end = found.written + len(line)
    if end <= len(output) and not found.overflow:
        output[found.written : end] = line
        found.written = end
    else:
        found.overflow += line


def _note(found: CheckedBlock, row: Row) -> None:
    """Note what is told of each row, and count what is told of all."""
    sizes = [*map(len, row.contents)]
    characters, turns = sum(sizes), len(sizes)
    found.numbers.append(found.lines)
    found.identities.append(row.identity >> 64)
    found.prompts.append(row.prompt)
    found.lengths.append(len(row.line))
    found.tokens.append(_estimated_tokens(row.line, characters, turns))
    found.turns.append(turns)
    first = turns % 2
    asked = sum(sizes[first::2])
    said = found.characters
    if first:
        said["system"] += sizes[0]
        characters -= sizes[0]
    said["user"] += asked
    said["assistant"] += characters - asked


def _count_turns(found: CheckedBlock) -> None:
    """Each role's turns; only the first of an odd number is the system's."""
    system = sum(turns % 2 for turns in found.turns)
    pairs = (sum(found.turns) - system) // 2
    found.role_turns = {"system": system, "user": pairs, "assistant": pairs}


def _estimated_tokens(line: bytes, characters: int, turns: int) -> int:
    """About how many tokens the conversation has, with what Phi-3's chat template adds.

    A token is taken as four characters of English or one of other scripts, as Llama's tokenizer,
    which Phi-3 has, does on average; expect a fifth more or less.
    """
    if not line.isascii():
        written = len(line) - line.index(b',"messages":') - JSON_BYTES_PER_TURN * turns
        characters += 5 * (written - characters) // 3
    return characters // 4 + TOKENS_PER_TURN * turns

"""Preparing training data: read, check, split, write and explain, in one pass over the rows."""

import heapq
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import orjson

from tuneops.data import report as reporting
from tuneops.data.blocks import Readable
from tuneops.data.checking import Batch, CheckedBlock, Rejection, Rules
from tuneops.data.crew import checked_blocks
from tuneops.data.errors import DataError
from tuneops.data.outputs import Sink
from tuneops.data.report import DataReport, PartCount, SampleRow, Tally
from tuneops.data.rows import Message, question
from tuneops.data.selection import DROPPED, Selection
from tuneops.data.settings import OnDuplicate
from tuneops.data.shapes import Shape
from tuneops.data.split import PARTS, SPACE, TEST, TRAIN, Split, by_percent, only

REJECTED, REPORT_JSON, REPORT_HTML = "rejected.jsonl", "report.json", "report.html"
MAX_LISTED = 100_000
MAX_QUESTIONS = 20
SAMPLES = 10
_RUNS = re.compile(rb"\x00+|\x01+|\x02+")


class RowSource(Protocol):
    """The rows of a file or split, checked as often as they are asked for.

    `part` is the part that all rows belong to; None: a hash of each row decides.
    """

    @property
    def name(self) -> str:
        """The name in the report and in errors."""

    @property
    def part(self) -> str | None:
        """The part of all rows, if it is one."""

    def batches(self, rules: Rules, processes: int) -> Iterator[Batch]:
        """The rows block by block, checked by so many processes at most."""


@dataclass(frozen=True)
class Input:
    """Rows that are still to be checked: `open` gives them as lines of JSON, anew each time."""

    name: str
    open: Callable[[], AbstractContextManager[Readable]]
    part: str | None = None

    def batches(self, rules: Rules, processes: int) -> Iterator[Batch]:
        """The rows block by block, checked by so many processes at most.

        Raises:
            DataError: the file is broken.
            DataChangedError, DataUnavailableError: it can't be read now.
        """
        with self.open() as stream:
            yield from checked_blocks(stream, rules, processes)


@dataclass(frozen=True)
class Wanted:
    """How data is prepared; the percentages and limits are those of a config's `data`."""

    shape: Shape = "auto"
    test_percent: float = 10.0
    validation_percent: float = 0.0
    sample_percent: float = 100.0
    max_rows: int | None = None
    max_invalid_percent: float = 0.1
    on_duplicate: OnDuplicate = "drop"
    max_seq_length: int = -1


@dataclass(frozen=True)
class Prepared:
    """What was made: the report, and questions for the smoke test from the rows held out."""

    report: DataReport
    questions: tuple[list[Message], ...]


def rules_of(wanted: Wanted, part: str | None = None) -> Rules:
    """How the rows of a part are read, or those of a file whose rows are split."""
    if part:
        return Rules(wanted.shape, only(part, wanted.sample_percent))
    split = by_percent(wanted.test_percent, wanted.validation_percent, wanted.sample_percent)
    return Rules(wanted.shape, split)


def prepare(
    inputs: Sequence[RowSource],
    wanted: Wanted,
    sink: Sink,
    source: str,
    processes: int = 1,
    progress: Callable[[int], None] = lambda rows: None,
) -> Prepared:
    """Write the parts, the rejected rows and the report of `inputs` to the sink, uncommitted.

    `source` names the data in the report and in errors. `progress` is told how many rows were
    read, from time to time.

    Raises:
        DataError: the data is broken, has too many bad rows or too few good ones.
        DataChangedError, DataUnavailableError: it can't be read now.
    """
    made = _Pass(wanted, rules_of(wanted).split, sink, source)
    made.read(inputs, processes, progress)
    if made.lacks_a_side and all(each.part is None for each in inputs):
        split = made.moved_split()
        sink.discard()
        made = _Pass(wanted, split, sink, source)
        made.read(inputs, processes, progress)
    return made.finish()


class _Pass:
    """One pass over the rows."""

    def __init__(self, wanted: Wanted, split: Split, sink: Sink, source: str) -> None:
        self._wanted = wanted
        self._split = split
        self._sink = sink
        self._source = source
        self._tally = Tally(wanted.max_seq_length)
        self._selection = Selection(wanted.on_duplicate, wanted.max_rows)
        self._parts = {part: PartCount() for part in PARTS}
        self._listed = 0
        self._questions: list[list[Message]] = []
        self._samples: list[tuple[int, str, bytes]] = []

    @property
    def _bound(self) -> int:
        """The fingerprint from which on a row is no sample any more, once there are enough."""
        return self._samples[-1][0]

    @property
    def lacks_a_side(self) -> bool:
        """Whether there is no row to train on, or none to test with."""
        return not (self._parts[TRAIN].rows and self._parts[TEST].rows)

    def read(
        self, inputs: Sequence[RowSource], processes: int, progress: Callable[[int], None]
    ) -> None:
        """Read all inputs."""
        for each in inputs:
            split = rules_of(self._wanted, each.part).split if each.part else self._split
            rules = Rules(self._wanted.shape, split)
            line = 0
            for batch in each.batches(rules, processes):
                self._take(each.name, line, batch)
                line += batch.block.lines
                progress(self._tally.read)

    def moved_split(self) -> Split:
        """A split that leaves a row on both sides.

        Raises:
            DataError: there are no two different rows.
        """
        self._judge()
        lowest, highest = self._selection.lowest, self._selection.highest
        if lowest >= highest:
            raise DataError(
                f"{self._source}: at least two different rows are needed, one to train on and one "
                "to test with"
            )
        return self._split.moved(lowest, highest)

    def finish(self) -> Prepared:
        """Judge the whole, and write the report."""
        self._judge()
        if self.lacks_a_side:
            lacking = "to test with" if self._parts[TRAIN].rows else "to train on"
            raise DataError(f"{self._source} has no row {lacking}")
        found = self._tally.report(
            source=self._source,
            digest=self._selection.digest,
            duplicates=self._selection.duplicates,
            left_out=self._tally.left_out + self._selection.left_out,
            parts={name: part.report() for name, part in self._parts.items() if part.rows},
            shared_prompts=self._selection.shared_prompts,
            samples=tuple(_sample(part, line) for _, part, line in sorted(self._samples)),
        )
        self._sink.write(REPORT_JSON, found.model_dump_json(indent=1).encode())
        self._sink.write(REPORT_HTML, reporting.html(found).encode())
        return Prepared(found, tuple(self._questions))

    def _judge(self) -> None:
        found = self._tally.report()
        shown = found.first_reasons()
        if not self._selection.rows:
            raise DataError(f"{self._source} has no valid row{': ' + shown if shown else ''}")
        if found.invalid_percent > self._wanted.max_invalid_percent:
            raise DataError(
                f"{self._source} has {found.invalid_percent:.2f} % bad rows, "
                f"data.max_invalid_percent allows {self._wanted.max_invalid_percent:g}: {shown}"
            )

    def _take(self, name: str, line: int, batch: Batch) -> None:
        """Write a block's rows where they belong; the block begins behind this line."""
        block = batch.block
        self._tally.add(block)
        parts, duplicates = self._selection.choose(block)
        if duplicates and self._wanted.on_duplicate == "fail":
            where = f"{name}:{line + block.numbers[duplicates[0]]}"
            raise DataError(f"{where}: repeats an earlier row (data.on_duplicate is fail)")
        rejected = [row._replace(line=line + row.line) for row in block.rejected]
        self._tally.reject(name, rejected)
        repeated = (
            Rejection(line + block.numbers[place], "duplicate", "repeats an earlier row", "")
            for place in duplicates
            if parts[place] == DROPPED
        )
        self._list(name, [*rejected, *repeated])
        rows = _Rows(batch)
        pieces: dict[str, list[memoryview]] = {}
        for run in _RUNS.finditer(bytes(map(parts.__getitem__, block.order))):
            part, (first, end) = PARTS[run[0][0]], run.span()
            pieces.setdefault(part, []).extend(rows.pieces(first, end))
            self._count(part, rows, first, end, block)
        for part, written in pieces.items():
            self._sink.write(f"{part}.jsonl", *written)
            self._parts[part].bytes += sum(map(len, written))
        self._pick_samples(rows, parts, block)

    def _count(self, part: str, rows: "_Rows", first: int, end: int, block: CheckedBlock) -> None:
        """Count the rows whose lines are those from `first` to before `end`, and keep some of
        their questions."""
        count = self._parts[part]
        count.rows += end - first
        count.tokens += sum(map(block.tokens.__getitem__, block.order[first:end]))
        if part == TEST and len(self._questions) < MAX_QUESTIONS:
            for place in range(first, min(end, first + MAX_QUESTIONS - len(self._questions))):
                self._questions.append(question(rows.line(place)))

    def _list(self, name: str, rejected: list[Rejection]) -> None:
        """Add to the file of rejected rows, which has an end."""
        for row in sorted(rejected)[: MAX_LISTED - self._listed]:
            self._listed += 1
            found = {"file": name, "line": row.line, "reason": row.reason, "row": row.text}
            self._sink.write(REJECTED, orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE))

    def _pick_samples(self, rows: "_Rows", parts: bytes, block: CheckedBlock) -> None:
        """Keep the rows with the smallest fingerprints: any rows, but always the same."""
        if len(self._samples) == SAMPLES and min(block.prompts, default=SPACE) >= self._bound:
            return
        for place, key in enumerate(block.prompts):
            if parts[place] == DROPPED or (len(self._samples) == SAMPLES and key >= self._bound):
                continue
            line = rows.line(block.order.index(place))
            self._samples.append((key, PARTS[parts[place]], line))
            self._samples = heapq.nsmallest(SAMPLES, self._samples)


class _Rows:
    """The rows' lines of a batch, in the order in which they stand there."""

    def __init__(self, batch: Batch) -> None:
        block = batch.block
        self._output = batch.output
        self._overflow = memoryview(block.overflow)
        self._written = block.written
        self._ends = [0, *accumulate(map(block.lengths.__getitem__, block.order))]

    def pieces(self, first: int, end: int) -> Iterator[memoryview]:
        """The lines from `first` to before `end`, one after another."""
        start, stop, written = self._ends[first], self._ends[end], self._written
        if start < written:
            yield self._output[start : min(stop, written)]
        if stop > written:
            yield self._overflow[max(start - written, 0) : stop - written]

    def line(self, place: int) -> bytes:
        """The line of one row."""
        return b"".join(self.pieces(place, place + 1))


def _sample(part: str, line: bytes) -> SampleRow:
    messages = orjson.loads(line)["messages"]
    return SampleRow(
        part=part,
        messages=tuple(
            {"role": said["role"], "content": said["content"][: reporting.SAMPLE_CHARACTERS]}
            for said in messages
        ),
    )

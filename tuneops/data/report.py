"""What was found in training data: the counts, and the page that explains them."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from tuneops.data.checking import CheckedBlock, Rejection
from tuneops.data.shapes import ROLES
from tuneops.document import Document

if TYPE_CHECKING:
    from jinja2 import Template

MAX_EXAMPLES = 5
MAX_REASONS = 50
SAMPLE_CHARACTERS = 600


class Reason(Document):
    """One sort of fault: how many rows have it, and some of them as ``FILE:LINE: why``."""

    kind: str
    rows: int
    examples: tuple[str, ...] = ()


class PartReport(Document):
    """One side of the split; `tokens` are estimated."""

    rows: int = 0
    bytes: int = 0
    tokens: int = 0


class RoleReport(Document):
    """What one role says in all valid rows."""

    turns: int = 0
    characters: int = 0


class Bucket(Document):
    """One bar of a histogram: the rows with at most `up_to`, and more than the bar before."""

    up_to: int
    rows: int


class SampleRow(Document):
    """A row to look at; long turns are cut."""

    part: str
    messages: tuple[dict[str, str], ...]


class OverLength(Document):
    """Rows that are cut at the training's `max_seq_length`, and what is lost; estimated."""

    max_seq_length: int
    rows: int
    tokens: int


class DataReport(Document):
    """What the training data of a release is like.

    `read` rows are `rejected`, `duplicates`, left out by the sample or the row limit, or in one of
    the `parts`. `shared_prompts` is the number of training rows whose prompt is also held out.
    `tokens` of a part are those of one epoch.
    """

    source: str
    digest: str
    read: int = 0
    rejected: int = 0
    reasons: tuple[Reason, ...] = ()
    duplicates: int = 0
    left_out: int = 0
    parts: dict[str, PartReport] = {}
    shared_prompts: int = 0
    roles: dict[str, RoleReport] = {}
    tokens: tuple[Bucket, ...] = ()
    turns: tuple[Bucket, ...] = ()
    over_length: OverLength | None = None
    samples: tuple[SampleRow, ...] = ()

    @property
    def invalid_percent(self) -> float:
        """The share of rows that were refused."""
        return 100 * self.rejected / self.read if self.read else 0.0

    def first_reasons(self, count: int = 3) -> str:
        """The commonest faults, with an example each, in one line."""
        shown = (reason.examples[0] for reason in self.reasons[:count] if reason.examples)
        return "; ".join(shown)


@dataclass
class PartCount:
    """A part's report while it grows."""

    rows: int = 0
    bytes: int = 0
    tokens: int = 0

    def report(self) -> PartReport:
        """It as it is now."""
        return PartReport(rows=self.rows, bytes=self.bytes, tokens=self.tokens)


class Tally:
    """Counts what is found, block by block."""

    def __init__(self, max_seq_length: int) -> None:
        self.read = 0
        self.rejected = 0
        self.left_out = 0
        self._kinds: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}
        self._tokens: Counter[int] = Counter()
        self._turns: Counter[int] = Counter()
        self._role_turns = dict.fromkeys(ROLES, 0)
        self._role_characters = dict.fromkeys(ROLES, 0)
        self._limit = max_seq_length
        self._over_rows = self._over_tokens = 0

    def add(self, block: CheckedBlock) -> None:
        """Count the rows of a block."""
        self.read += len(block.numbers) + block.left_out
        self.left_out += block.left_out
        _count(self._tokens, block.tokens)
        _count(self._turns, block.turns)
        for role in ROLES:
            self._role_turns[role] += block.role_turns[role]
            self._role_characters[role] += block.characters[role]
        if self._limit > 0:
            over = [tokens - self._limit for tokens in block.tokens if tokens > self._limit]
            self._over_rows += len(over)
            self._over_tokens += sum(over)

    def reject(self, file: str, rejected: Iterable[Rejection]) -> None:
        """Count rows that are refused; their lines are those of the file."""
        for row in rejected:
            self.read += 1
            self.rejected += 1
            if row.kind not in self._kinds and len(self._kinds) >= MAX_REASONS:
                continue
            self._kinds[row.kind] += 1
            examples = self._examples.setdefault(row.kind, [])
            if len(examples) < MAX_EXAMPLES:
                examples.append(f"{file}:{row.line}: {row.reason}")

    def report(self, **more: object) -> DataReport:
        """All of it, with what is counted elsewhere."""
        found = DataReport(
            source="",
            digest="",
            read=self.read,
            rejected=self.rejected,
            reasons=tuple(
                Reason(kind=kind, rows=rows, examples=tuple(self._examples[kind]))
                for kind, rows in self._kinds.most_common()
            ),
            roles={
                role: RoleReport(turns=turns, characters=self._role_characters[role])
                for role, turns in self._role_turns.items()
            },
            tokens=_histogram(self._tokens),
            turns=_histogram(self._turns),
            over_length=OverLength(
                max_seq_length=self._limit, rows=self._over_rows, tokens=self._over_tokens
            )
            if self._limit > 0
            else None,
        )
        return found.replace(**more)


def html(report: DataReport) -> str:
    """The report as a page of its own, without scripts."""
    return _template().render(report=report, largest=_largest)


@lru_cache(maxsize=1)
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    loader = PackageLoader("tuneops.data", "")
    environment = Environment(
        loader=loader,
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _largest(buckets: Iterable[Bucket]) -> int:
    return max((bucket.rows for bucket in buckets), default=1)


def _count(counts: Counter[int], numbers: Iterable[int]) -> None:
    """Count how many of the numbers fit in which power of two."""
    ordered, start, up_to = sorted(numbers), 0, 1
    while start < len(ordered):
        end = bisect_right(ordered, up_to, start)
        if end > start:
            counts[up_to] += end - start
        start, up_to = end, 2 * up_to


def _histogram(counts: Mapping[int, int]) -> tuple[Bucket, ...]:
    if not counts:
        return ()
    up_to, last = min(counts), max(counts)
    buckets = []
    while up_to <= last:
        buckets.append(Bucket(up_to=up_to, rows=counts.get(up_to, 0)))
        up_to *= 2
    return tuple(buckets)

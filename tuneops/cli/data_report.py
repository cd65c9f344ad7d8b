"""A report on training data for the terminal."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tuneops.data.report import Bucket, DataReport

BAR = 40


def render(report: DataReport) -> Group:
    """The report as tables and bars."""
    return Group(*_parts(report))


def _parts(report: DataReport) -> Iterable[RenderableType]:
    yield Text(f"{report.source}: {report.read:,} rows, digest {report.digest[:12]}", style="bold")
    yield (
        f"{report.rejected:,} refused ({report.invalid_percent:.2f} %), "
        f"{report.duplicates:,} stood there before, {report.left_out:,} left out"
    )
    yield ""
    yield _table(
        ("part", "rows", "bytes", "tokens, about"),
        [(name, p.rows, p.bytes, p.tokens) for name, p in report.parts.items()],
    )
    if report.shared_prompts:
        yield f"{report.shared_prompts:,} training rows have a prompt that is held out as well"
    if report.over_length:
        over = report.over_length
        yield (
            f"{over.rows:,} rows have more than {over.max_seq_length:,} tokens and lose about "
            f"{over.tokens:,}"
        )
    if report.reasons:
        yield ""
        yield _table(
            ("refused", "rows", "for example"),
            [(r.kind, r.rows, Text("\n".join(r.examples[:2]))) for r in report.reasons],
        )
    yield ""
    yield _table(
        ("role", "turns", "characters"),
        [(name, r.turns, r.characters) for name, r in report.roles.items() if r.turns],
    )
    yield ""
    yield _bars("tokens up to", report.tokens)
    yield ""
    yield _bars("turns up to", report.turns)


def _table(names: tuple[str, ...], rows: Iterable[tuple[str | int | Text, ...]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(names):
        table.add_column(name, justify="left" if place == 0 or "example" in name else "right")
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else cell for cell in row))
    return table


def _bars(name: str, buckets: tuple[Bucket, ...]) -> Table:
    most = max((bucket.rows for bucket in buckets), default=1) or 1
    table = Table(box=None, pad_edge=False)
    table.add_column(name, justify="right")
    table.add_column("rows", justify="right")
    table.add_column("")
    for bucket in buckets:
        bar = "█" * round(BAR * bucket.rows / most)
        table.add_row(f"{bucket.up_to:,}", f"{bucket.rows:,}", bar)
    return table

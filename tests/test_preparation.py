"""What becomes of rows: the split, samples, limits, duplicates, digests, and the report."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneops.data import crew, local
from tuneops.data.blocks import BLOCK_BYTES
from tuneops.data.errors import DataError, DataUnavailableError
from tuneops.data.outputs import WRITTEN_BYTES, Folder
from tuneops.data.preparation import Input, Prepared, Wanted, prepare
from tuneops.data.report import html
from tuneops.data.split import PARTS, TEST, TRAIN

Rows = list[dict[str, Any]]
EVERYTHING = {f"{part}.jsonl" for part in PARTS} | {"rejected.jsonl", "report.json", "report.html"}


class Kept:
    """A sink in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytearray] = {}

    def write(self, name: str, *content: bytes | memoryview) -> None:
        self.files.setdefault(name, bytearray()).extend(b"".join(content))

    def commit(self, names: set[str]) -> None:
        """There is no need."""

    def discard(self) -> None:
        self.files = {}

    def rows(self, part: str) -> list[str]:
        """What is asked in the rows of a part."""
        lines = self.files.get(f"{part}.jsonl", b"").splitlines()
        return [json.loads(line)["messages"][0]["content"] for line in lines]


def row(number: int, answer: str = "Yes.") -> dict[str, Any]:
    return {"prompt": f"Is {number} a number?", "completion": answer}


def some(count: int, start: int = 0) -> Rows:
    return [row(number) for number in range(start, start + count)]


def jsonl(rows: Rows) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in rows)


def given_rows(content: bytes, name: str = "a.jsonl", part: str | None = None) -> Input:
    return Input(name, lambda: nullcontext(io.BytesIO(content)), part)


def made(rows: Rows | bytes, processes: int = 1, **wanted: Any) -> tuple[Prepared, Kept]:
    sink = Kept()
    content = rows if isinstance(rows, bytes) else jsonl(rows)
    return prepare([given_rows(content)], Wanted(**wanted), sink, "a.jsonl", processes), sink


def test_each_part_has_its_share() -> None:
    found, sink = made(some(4000), test_percent=10, validation_percent=5)
    counts = {part: len(sink.rows(part)) for part in PARTS}
    assert sum(counts.values()) == 4000
    assert 320 <= counts["test"] <= 480
    assert 140 <= counts["validation"] <= 260
    assert {part: found.report.parts[part].rows for part in PARTS} == counts


@given(st.integers(2, 30), st.floats(0.1, 50), st.floats(0, 50))
@settings(max_examples=50)
def test_both_sides_have_a_row(count: int, test: float, validation: float) -> None:
    _, sink = made(some(count), test_percent=test, validation_percent=validation)
    assert sink.rows(TRAIN)
    assert sink.rows(TEST)


@given(st.integers(0, 10**6), st.integers(0, 200))
@settings(max_examples=30)
def test_an_added_row_moves_no_other(number: int, place: int) -> None:
    rows = some(200, start=10**7)
    _, before = made(rows)
    found, after = made([*rows[:place], row(number), *rows[place:]])
    added = {f"Is {number} a number?"}
    for part in PARTS:
        assert [asked for asked in after.rows(part) if asked not in added] == before.rows(part)
    assert found.report.digest != made(rows)[0].report.digest


def test_a_sample_is_a_part_of_a_larger_sample() -> None:
    found, half = made(some(2000), sample_percent=50)
    _, more = made(some(2000), sample_percent=70)
    assert 850 <= len(half.rows(TRAIN)) + len(half.rows(TEST)) <= 1150
    assert set(half.rows(TRAIN)) <= set(more.rows(TRAIN))
    assert found.report.left_out == 2000 - len(half.rows(TRAIN)) - len(half.rows(TEST))


def test_no_more_rows_than_allowed() -> None:
    found, sink = made(some(500), max_rows=100)
    assert len(sink.rows(TRAIN)) + len(sink.rows(TEST)) == 100
    assert found.report.left_out == 400
    assert set(sink.rows(TRAIN)) <= {each["prompt"] for each in some(100)}


class TestDuplicates:
    rows = [*some(50), row(7), *some(3)]

    def test_are_dropped_and_listed(self) -> None:
        found, sink = made(self.rows)
        assert found.report.duplicates == 4
        assert found.report.digest == made(some(50))[0].report.digest
        listed = [json.loads(line) for line in sink.files["rejected.jsonl"].splitlines()]
        assert [(each["line"], each["reason"]) for each in listed] == [
            (line, "repeats an earlier row") for line in (51, 52, 53, 54)
        ]

    def test_are_kept_when_wanted(self) -> None:
        found, sink = made(self.rows, on_duplicate="keep")
        assert len(sink.rows(TRAIN)) + len(sink.rows(TEST)) == 54
        assert found.report.duplicates == 4

    def test_are_refused_when_wanted(self) -> None:
        with pytest.raises(DataError, match="a\\.jsonl:51: repeats an earlier row"):
            made(self.rows, on_duplicate="fail")


def test_prompts_on_both_sides_are_counted() -> None:
    rows = [row(number, answer) for number in range(200) for answer in ("Yes.", "No.")]
    found, sink = made(rows)
    shared = set(sink.rows(TRAIN)) & set(sink.rows(TEST))
    assert found.report.shared_prompts == len([a for a in sink.rows(TRAIN) if a in shared]) > 0


def test_the_sources_own_splits_stay_as_they_are() -> None:
    sink = Kept()
    inputs = [
        given_rows(jsonl(some(30)), "train", TRAIN),
        given_rows(jsonl(some(5, start=100)), "test", TEST),
    ]
    found = prepare(inputs, Wanted(), sink, "set")
    assert sink.rows(TRAIN) == [each["prompt"] for each in some(30)]
    assert len(found.questions) == 5


def test_a_split_without_a_row_is_refused() -> None:
    inputs = [given_rows(jsonl(some(3)), "train", TRAIN), given_rows(b"\n", "test", TEST)]
    with pytest.raises(DataError, match="set has no row to test with"):
        prepare(inputs, Wanted(), Kept(), "set")


def test_rows_that_are_cut_are_counted() -> None:
    rows = [*some(20), {"prompt": "long", "completion": "word " * 1000}]
    over = made(rows, max_seq_length=256)[0].report.over_length
    assert over is not None
    assert over.rows == 1
    assert 900 <= over.tokens <= 1100


@pytest.mark.parametrize(
    "text", ["plain English text, as most rows have it. ", "Grüße, Žižek! ", "漢字"]
)
def test_tokens_are_about_right(text: str) -> None:
    report = made([{"prompt": str(n), "completion": text * 200} for n in range(10)])[0].report
    tokens = sum(part.tokens for part in report.parts.values()) / 10
    characters = len(text) * 200
    assert characters / 5 < tokens < characters * 1.5


def test_the_report_says_what_was_found() -> None:
    rows = [*some(40), {"messages": []}, {"a": 1}, {"a": 2}]
    content = jsonl(rows) + b"{\n"
    found, sink = made(content, max_invalid_percent=20)
    report = found.report
    assert (report.read, report.rejected) == (44, 4)
    assert [(reason.kind, reason.rows) for reason in report.reasons] == [
        ("unknown shape", 2),
        ("no answer", 1),
        ("no JSON", 1),
    ]
    assert report.roles["user"].turns == report.roles["assistant"].turns == 40
    assert sum(bucket.rows for bucket in report.tokens) == 40
    assert [(b.up_to, b.rows) for b in report.turns] == [(2, 40)]
    assert len(report.samples) == 10
    assert json.loads(sink.files["report.json"])["digest"] == report.digest


def test_the_page_shows_text_as_text() -> None:
    attack = "<script>alert(1)</script>{{ 7 * 7 }}"
    page = html(
        made([{"prompt": attack, "completion": f"{attack}{n}"} for n in range(5)])[0].report
    )
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7 * 7 }}" in page


def test_rows_that_grow_are_all_written() -> None:
    rows = [{"prompt": f"{n}", "completion": "b"} for n in range(40_000)]
    _, sink = made(rows)
    assert len(sink.rows(TRAIN)) + len(sink.rows(TEST)) == 40_000


@pytest.mark.slow
def test_processes_make_no_difference() -> None:
    rows = [row(number, f"{number} " * 700) for number in range(24_000)]
    content = jsonl([*rows, rows[5]]) + b"nonsense\n"
    assert len(content) > 3 * crew.BLOCKS_ALONE * BLOCK_BYTES
    alone, first = made(content)
    together, second = made(content, processes=2)
    assert together == alone
    assert second.files == first.files


def test_each_part_has_its_rows_in_their_order() -> None:
    rows = [{"prompt": f"{number}", "completion": "1"} for number in range(40_000)]
    rows += rows[100:200]
    assert len(jsonl(rows)) > BLOCK_BYTES
    _, sink = made(rows, test_percent=30, validation_percent=20)
    parts = [[*map(int, sink.rows(part))] for part in PARTS]
    assert all(part == sorted(part) for part in parts)
    assert sorted(number for part in parts for number in part) == [*range(40_000)]


def test_large_pieces_are_written_whole(tmp_path: Path) -> None:
    pieces = [bytes([number]) * (WRITTEN_BYTES + number) for number in range(3)]
    with Folder(tmp_path) as folder:
        folder.write("a", *pieces)
        folder.write("a", b"", b"end")
        folder.commit({"a"})
    assert (tmp_path / "a").read_bytes() == b"".join(pieces) + b"end"


def as_csv(rows: Rows, delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, ["prompt", "completion"], delimiter=delimiter)
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode()


def as_parquet(rows: Rows) -> bytes:
    from pyarrow import BufferOutputStream, Table
    from pyarrow.parquet import write_table

    sink = BufferOutputStream()
    write_table(Table.from_pylist(rows), sink, row_group_size=7)
    return bytes(sink.getvalue())


WRITERS: dict[str, Callable[[Rows], bytes]] = {
    "a.jsonl": jsonl,
    "a.ndjson": lambda rows: b"\xef\xbb\xbf" + jsonl(rows).replace(b"\n", b"\r\n"),
    "a.jsonl.gz": lambda rows: gzip.compress(jsonl(rows[:9])) + gzip.compress(jsonl(rows[9:])),
    "a.jsonl.zst": lambda rows: zstd.compress(jsonl(rows)),
    "a.json": lambda rows: json.dumps(rows, indent=2).encode(),
    "b.json": jsonl,
    "a.json.gz": lambda rows: gzip.compress(json.dumps(rows).encode()),
    "a.csv": lambda rows: as_csv(rows, ","),
    "a.tsv": lambda rows: as_csv(rows, "\t"),
    "a.csv.gz": lambda rows: gzip.compress(as_csv(rows, ",")),
    "a.parquet": as_parquet,
}


@pytest.mark.parametrize("name", WRITERS)
def test_equal_rows_have_one_digest_in_every_format(name: str, tmp_path: Path) -> None:
    rows = [row(n, f'"{n}",\tsaid\n"he" é 漢 \\ {{"a": [1]}}') for n in range(40)]
    (tmp_path / name).write_bytes(WRITERS[name](rows))
    found = prepare(local.inputs(tmp_path / name), Wanted(), Kept(), name)
    assert found.report.read == 40
    assert found.report.digest == made(rows)[0].report.digest


def test_a_folder_appears_as_a_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Folder(out) as sink:
        prepare([given_rows(jsonl(some(30)))], Wanted(), sink, "a.jsonl")
        assert [path.name for path in out.iterdir() if not path.name.startswith(".")] == []
        sink.commit(EVERYTHING)
    assert {path.name for path in out.iterdir()} == {
        "train.jsonl",
        "test.jsonl",
        "report.json",
        "report.html",
    }


def test_what_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(DataError), Folder(out) as sink:
        prepare([given_rows(jsonl(some(30)) + b"x\n")], Wanted(), sink, "a.jsonl")
    assert list(out.iterdir()) == []


@pytest.mark.slow
def test_a_helper_that_is_killed_is_told_of() -> None:
    content = jsonl([row(number, "a " * 2000) for number in range(20_000)])

    def kill(rows: int) -> None:
        if rows < 14_000:
            return
        for child in psutil.Process().children():
            with suppress(psutil.Error):
                if "tuneops.data.helper" in child.cmdline():
                    child.kill()

    with pytest.raises(DataUnavailableError, match="is there enough memory"):
        prepare([given_rows(content)], Wanted(), Kept(), "a.jsonl", 2, kill)

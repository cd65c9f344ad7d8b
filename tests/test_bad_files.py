"""Files that are broken, hostile or odd: each is refused clearly, or its bad rows are counted."""

import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from tests.test_preparation import Kept, as_parquet, jsonl, some
from tuneops.data import local
from tuneops.data.errors import DataError
from tuneops.data.formats import CONTAINERS, as_lines, format_of
from tuneops.data.preparation import Input, Wanted, prepare

GOOD = jsonl(some(20))
ROWS = json.dumps(some(20)).encode()
CSV = b"prompt,completion\n" + b"".join(b"q%d,a\n" % n for n in range(20))
MAX_BYTES = 300 * 1024 * 1024

Content = bytes | Callable[[], bytes]


def turns(*said: tuple[str, object]) -> bytes:
    return json.dumps({"messages": [{"role": r, "content": c} for r, c in said]}).encode() + b"\n"


def parquet_of(column: str, values: list[object]) -> bytes:
    from pyarrow import BufferOutputStream, Table
    from pyarrow.parquet import write_table

    sink = BufferOutputStream()
    write_table(Table.from_pylist([{column: value} for value in values]), sink)
    return bytes(sink.getvalue())


def damaged_parquet() -> bytes:
    content = bytearray(as_parquet(some(20)))
    content[20:200] = b"\xff" * 180
    return bytes(content)


REFUSED: dict[str, tuple[str, Content, str]] = {
    "empty": ("a.jsonl", b"", "has no valid row"),
    "blank lines": ("a.jsonl", b"\n\n  \n\r\n", "has no valid row"),
    "byte order mark alone": ("a.jsonl", b"\xef\xbb\xbf", "has no valid row"),
    "nul bytes": ("a.jsonl", b"\0" * 10_000, "has no valid row"),
    "utf-16": ("a.jsonl", GOOD.decode().encode("utf-16"), "has no valid row"),
    "latin-1": ("a.jsonl", "\xe9\xe8\n".encode("latin-1"), "has no valid row"),
    "binary": ("a.jsonl", bytes(range(256)) * 100, "has no valid row"),
    "html": ("a.jsonl", b"<!doctype html><p>404", "has no valid row"),
    "yaml": ("a.jsonl", b"messages:\n- role: user\n", "has no valid row"),
    "one line of 50 MB": ("a.jsonl", lambda: b"x" * 50_000_000, "longer than any row may be"),
    "one row of 2 MB": (
        "a.jsonl",
        lambda: turns(("user", "a" * 2_000_000), ("assistant", "b")),
        "longer than any row may be",
    ),
    "deep nesting": ("a.jsonl", b"[" * 200_000, "has no valid row"),
    "one row only": ("a.jsonl", jsonl(some(1)), "at least two different rows"),
    "the same row often": ("a.jsonl", jsonl(some(1)) * 50, "at least two different rows"),
    "gzip that is none": ("a.jsonl.gz", GOOD, "is no gzip file"),
    "gzip, empty file": ("a.jsonl.gz", b"", "has no valid row"),
    "gzip, cut": ("a.jsonl.gz", gzip.compress(GOOD)[:-20], "ends too early"),
    "gzip, cut in its header": ("a.jsonl.gz", gzip.compress(GOOD)[:5], "ends too early"),
    "gzip, wrong sum": ("a.jsonl.gz", gzip.compress(GOOD)[:-8] + b"\0" * 8, "damaged"),
    "gzip, junk behind": ("a.jsonl.gz", gzip.compress(GOOD) + b"junk", "is no gzip file"),
    "gzip, bytes changed": (
        "a.jsonl.gz",
        gzip.compress(GOOD)[:40] + b"\xff" * 20 + gzip.compress(GOOD)[60:],
        "damaged",
    ),
    "gzip bomb": (
        "a.jsonl.gz",
        lambda: gzip.compress((b" " * 99 + b"\n") * 4_000_000),
        "holds more than",
    ),
    "gzip bomb of one line": (
        "a.jsonl.gz",
        lambda: gzip.compress(b"x" * 400_000_000),
        "holds more than",
    ),
    "zstd that is none": ("a.jsonl.zst", GOOD, "damaged"),
    "zstd, cut": ("a.jsonl.zst", zstd.compress(GOOD)[:-9], "ends too early"),
    "zstd bomb": (
        "a.jsonl.zst",
        lambda: zstd.compress((b" " * 99 + b"\n") * 4_000_000),
        "holds more than",
    ),
    "json, cut": ("a.json", ROWS[:-30], "a row is no JSON"),
    "json, not closed": ("a.json", ROWS[:-1], "is not closed"),
    "json, no comma": ("a.json", b"[{} {}]", "not separated"),
    "json, comma at the end": ("a.json", ROWS[:-1] + b",]", "a row is no JSON"),
    "json, junk behind": ("a.json", ROWS + b"x", "stands behind the list"),
    "json, empty list": ("a.json", b"[]", "has no valid row"),
    "json, list of lists": ("a.json", b"[[1],[2]]", "is no JSON object"),
    "json, deep": ("a.json", b"[" * 100_000, "nested too deeply"),
    "json, one row of 50 MB": (
        "a.json",
        lambda: b'[{"prompt": "' + b"x" * 50_000_000 + b'"}]',
        "too large",
    ),
    "json, no utf-8": ("a.json", b'[{"prompt": "\xff"}]', "is not UTF-8"),
    "json, a table of columns": ("a.json", b'{"prompt": {"0": "a"}}', "has no valid row"),
    "csv, empty": ("a.csv", b"", "has no header"),
    "csv, header alone": ("a.csv", b"prompt,completion\n", "has no valid row"),
    "csv, no header": ("a.csv", b"a,b\nc,d\n", "has no valid row"),
    "csv, column twice": ("a.csv", b"prompt,prompt\na,b\n", "two columns of the same name"),
    "csv, open quote": ("a.csv", CSV + b'"open,b\n', "unexpected end of data"),
    "csv, quote inside": ("a.csv", CSV + b'"a"b,c\n', "expected after"),
    "csv, open quote of 50 MB": (
        "a.csv",
        lambda: CSV + b'"' + b"x" * 50_000_000,
        "a line is longer than 1024 KiB",
    ),
    "csv, no utf-8": ("a.csv", CSV + b"\xff,b\n", "is not UTF-8"),
    "csv, semicolons": ("a.csv", CSV.replace(b",", b";"), "has no valid row"),
    "parquet that is none": ("a.parquet", GOOD, "damaged"),
    "parquet, empty file": ("a.parquet", b"", "damaged"),
    "parquet, cut": ("a.parquet", as_parquet(some(20))[:-40], "damaged"),
    "parquet, footer alone": ("a.parquet", b"PAR1PAR1", "damaged"),
    "parquet, bytes changed": ("a.parquet", damaged_parquet, "damaged"),
    "parquet, no rows": (
        "a.parquet",
        lambda: parquet_of("messages", [None]),
        "messages is missing",
    ),
    "parquet, numbers": ("a.parquet", lambda: parquet_of("prompt", [1, 2]), "has no valid row"),
    "parquet, nested nulls": (
        "a.parquet",
        lambda: parquet_of("messages", [[{"role": "user", "content": None}, None]]),
        "messages.0.content is missing",
    ),
}

COUNTED: dict[str, tuple[str, bytes, str]] = {
    "wrong role": ("a.jsonl", turns(("robot", "a"), ("assistant", "b")), "'robot'"),
    "wrong order": ("a.jsonl", turns(("assistant", "a"), ("user", "b")), "turn 1 is"),
    "no answer": ("a.jsonl", turns(("user", "a")), "no question with an answer"),
    "empty turn": ("a.jsonl", turns(("user", ""), ("assistant", "b")), "turn 1 is empty"),
    "white space": ("a.jsonl", turns(("user", "\u2003"), ("assistant", "b")), "turn 1 is empty"),
    "a number as text": ("a.jsonl", turns(("user", 1), ("assistant", "b")), "is no text"),
    "lone surrogate": ("a.jsonl", b'{"prompt": "\\ud800", "completion": "b"}\n', "is no JSON"),
    "nul byte": ("a.jsonl", b'{"prompt": "\0", "completion": "b"}\n', "is no JSON"),
    "no utf-8": ("a.jsonl", b'{"prompt": "\xff", "completion": "b"}\n', "is not UTF-8"),
    "doubled key": ("a.jsonl", b'{"prompt": "a", "prompt": "b", "completion": "c"}\n', "twice"),
    "cut row": ("a.jsonl", b'{"prompt": "a", "compl', "is no JSON"),
    "two rows on a line": (
        "a.jsonl",
        b'{"prompt": "a", "completion": "b"}{"prompt": "a", "completion": "b"}\n',
        "is no JSON",
    ),
    "a comma at the end": ("a.jsonl", b'{"prompt": "a", "completion": "b"},\n', "is no JSON"),
    "not a number": ("a.jsonl", b'{"prompt": NaN, "completion": "b"}\n', "is no JSON"),
    "a list": ("a.jsonl", b"[]\n", "is no JSON object"),
    "tools": ("a.jsonl", b'{"messages": [{"role": "tool", "content": "x"}]}\n', "tool calls"),
    "carriage returns": ("a.jsonl", b'{"prompt": "a"}\r\n', "has neither"),
    "csv, more fields": ("a.csv", b"a,b,c\n", "has 3 fields, the header has 2"),
    "csv, fewer fields": ("a.csv", b"a\n", "has 1 fields, the header has 2"),
    "csv, empty field": ("a.csv", b"a,\n", "turn 2 is empty"),
}


def prepared(path: Path) -> tuple[Kept, dict[str, object]]:
    """Prepare a file as a function would, which unpacks 300,000,000 bytes at most."""
    kind = format_of(path.name)
    assert kind is not None

    def opened() -> io.RawIOBase:
        return as_lines(io.FileIO(path), kind, path.name, 300_000_000)  # type: ignore[return-value]

    sink = Kept()
    made = prepare([Input(path.name, opened)], Wanted(max_invalid_percent=20), sink, path.name)
    return sink, made.report.model_dump()


def content_of(content: Content) -> bytes:
    return content if isinstance(content, bytes) else content()


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_file_is_refused_with_the_reason(case: str, tmp_path: Path) -> None:
    name, content, reason = REFUSED[case]
    (tmp_path / name).write_bytes(content_of(content))
    with pytest.raises(DataError) as caught:
        prepared(tmp_path / name)
    assert reason in str(caught.value)
    assert name in str(caught.value)
    assert len(str(caught.value)) < 1500


@pytest.mark.parametrize("case", COUNTED)
def test_a_bad_row_is_counted_and_listed(case: str, tmp_path: Path) -> None:
    name, content, reason = COUNTED[case]
    good = CSV if name.endswith(".csv") else GOOD
    (tmp_path / name).write_bytes(good + content)
    sink, report = prepared(tmp_path / name)
    assert (report["read"], report["rejected"]) == (21, 1)
    listed = json.loads(sink.files["rejected.jsonl"])
    assert listed["line"] == 21
    assert reason in listed["reason"]


@pytest.mark.soak
def test_no_file_takes_much_memory(tmp_path: Path) -> None:
    """The whole corpus in one process of its own."""
    for number, (name, content, _) in enumerate(REFUSED.values()):
        (tmp_path / f"{number}.{name.partition('.')[2]}").write_bytes(content_of(content))
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from tests.test_bad_files import prepared\n"
        "from tuneops.data.errors import DataError\n"
        "files = sorted(Path(sys.argv[1]).iterdir())\n"
        "for file in files:\n"
        "    try:\n"
        "        prepared(file)\n"
        "    except DataError:\n"
        "        pass\n"
        "    else:\n"
        "        sys.exit(f'{file} was taken')\n"
        "if sys.platform == 'darwin':\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
        "else:  # what getrusage says here includes the parent's memory\n"
        "    status = Path('/proc/self/status').read_text().split()\n"
        "    print(int(status[status.index('VmHWM:') + 1]) * 1024)\n"
    )
    line = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < MAX_BYTES


@given(
    st.sampled_from([*CONTAINERS, "jsonl.gz", "json.gz", "csv.zst"]),
    st.binary(max_size=200) | st.sampled_from([GOOD, ROWS, CSV, gzip.compress(GOOD)]),
    st.integers(0, 2000),
    st.binary(max_size=4),
)
def test_any_bytes_are_rows_or_refused(kind: str, content: bytes, place: int, put: bytes) -> None:
    changed = content[:place] + put + content[place + 1 :]
    found = format_of(f"a.{kind}")
    assert found is not None
    each = Input("a", lambda: as_lines(io.BytesIO(changed), found, "a", 10**6))  # type: ignore
    try:
        report = prepare([each], Wanted(max_invalid_percent=100), Kept(), "a").report
    except DataError:
        return
    kept = sum(part.rows for part in report.parts.values())
    assert report.read == report.rejected + report.duplicates + kept


def test_what_is_no_data_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(GOOD)
    for path, reason in (
        (tmp_path / "a.txt", "has no known format"),
        (tmp_path / "absent.jsonl", "is no file"),
        (tmp_path, "has no data file"),
    ):
        with pytest.raises(DataError, match=reason):
            local.inputs(path)

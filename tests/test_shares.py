"""A folder's files that several nodes check: what comes out is what one node makes of them."""

import gzip
import json
from pathlib import Path

import pytest

from tests.config_text import config_of
from tuneops.data import job, share
from tuneops.data.errors import DataError
from tuneops.data.job import Task
from tuneops.prepared import PreparedData


def row(number: int) -> bytes:
    made = {"prompt": f"Is {number} a number?", "completion": "Yes. " * (number % 7 + 1)}
    return json.dumps(made).encode() + b"\n"


def rows(start: int, end: int) -> bytes:
    return b"".join(map(row, range(start, end)))


def put(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def prepared(data: Path, out: Path, names: list[str], shares: int) -> dict[str, bytes]:
    """What is made of the files, by name."""
    config = config_of("bot")
    chosen = config.data.model_copy(update={"max_invalid_percent": 5.0, "sample_percent": 80.0})
    config = config.model_copy(update={"data": chosen})
    task = Task(
        config=config, source="bot/week/", files=tuple(names), shares=shares, folder="bot/key"
    )
    parts = [data]
    if shares > 1:
        parts = [out.with_name(f"{out.name}-{number}") for number in range(shares)]
        for number, part in enumerate(parts):
            part.mkdir()
            share.check(task, number, part, data)
    job.run(task, out, *parts)
    return {path.name: path.read_bytes() for path in out.iterdir()}


FILES = {
    "1.jsonl": rows(0, 200) + b"nonsense\n",
    "2.jsonl.gz": gzip.compress(rows(150, 300)),
    "3.csv": b"prompt,completion\nWhat?,That.\n\nWho?,They.\n",
    "4.jsonl": b"\xef\xbb\xbf" + rows(300, 310),
    "5.jsonl": b"",
}


@pytest.mark.parametrize("shares", [2, 3, 5])
def test_shares_make_no_difference(tmp_path: Path, shares: int) -> None:
    data = put(tmp_path / "data", FILES | {"_SUCCESS": b"", "other.jsonl": rows(900, 950)})
    alone = prepared(data, tmp_path / "alone", sorted(FILES), 1)
    together = prepared(data, tmp_path / "together", sorted(FILES), shares)
    assert together == alone
    made = PreparedData.model_validate_json(together["prepared.json"])
    assert made.duplicate_rows > 20
    assert [why.partition(": ")[0] for why in made.rejections] == ["bot/week/1.jsonl:201"]


def test_a_side_without_a_row_gets_one_as_well(tmp_path: Path) -> None:
    files = {"1.jsonl": row(1), "2.jsonl": row(2)}
    data = put(tmp_path / "data", files)
    alone = prepared(data, tmp_path / "alone", sorted(files), 1)
    assert prepared(data, tmp_path / "together", sorted(files), 2) == alone


def test_a_damaged_file_is_told_of_by_the_job_that_puts_together(tmp_path: Path) -> None:
    files = {"1.jsonl": rows(0, 20), "2.jsonl.gz": gzip.compress(rows(20, 4000))[:-30]}
    data = put(tmp_path / "data", files)
    with pytest.raises(DataError, match="ends too early"):
        prepared(data, tmp_path / "together", sorted(files), 2)


def test_a_share_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    data = put(tmp_path / "data", {"1.jsonl": rows(0, 20), "2.jsonl": rows(20, 40)})
    task = Task(
        config=config_of("bot"),
        source="bot/week/",
        files=("1.jsonl", "2.jsonl"),
        shares=2,
        folder="bot/key",
    )
    share.check(task, 0, data, data)
    with pytest.raises(DataError, match=r"bot/week/2\.jsonl was not checked"):
        job.run(task, tmp_path / "out", data, data)

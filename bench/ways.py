"""The same work in different ways: read chats, check them, hold out a tenth, write both parts.

    python bench/ways.py polars chats.jsonl OUT

Each way checks that user and assistant take turns, that the assistant has the last word and that no
turn is empty, picks the rows to hold out by a hash, and writes train.jsonl and test.jsonl. `copy`
does nothing but read and write lines: no way can be faster that looks at rows one by one.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

TEST_SHARE = 0.1


def by_tuneops() -> Callable[[Path, Path], int]:
    """What `tuneops data prepare` does."""
    import os

    from tuneops.data import local
    from tuneops.data.outputs import Folder
    from tuneops.data.preparation import Wanted, prepare

    def work(source: Path, out: Path) -> int:
        with Folder(out) as sink:
            found = prepare(
                local.inputs(source), Wanted(), sink, source.name, processes=os.cpu_count() or 1
            ).report
            sink.commit({"train.jsonl", "test.jsonl", "report.json", "report.html"})
        return found.read

    return work


def by_copy() -> Callable[[Path, Path], int]:
    """The bare loop over lines."""

    def work(source: Path, out: Path) -> int:
        count = 0
        with source.open("rb") as lines, (out / "train.jsonl").open("wb") as copy:
            for line in lines:
                copy.write(line)
                count += 1
        return count

    return work


def by_pandas() -> Callable[[Path, Path], int]:
    """The tutorial's way."""
    import pandas

    def work(source: Path, out: Path) -> int:
        frame = pandas.read_json(source, lines=True)
        valid = frame[frame["messages"].map(_is_valid)]
        place = pandas.util.hash_pandas_object(valid["prompt_id"], index=False)
        held_out = place < int(2**64 * TEST_SHARE)
        for name, part in (("train", valid[~held_out]), ("test", valid[held_out])):
            part.to_json(out / f"{name}.jsonl", orient="records", lines=True)
        return len(frame)

    return work


def by_datasets() -> Callable[[Path, Path], int]:
    """Hugging Face's library, without its cache."""
    import datasets

    datasets.disable_progress_bars()

    def work(source: Path, out: Path) -> int:
        cache = out / "cache"
        loaded = datasets.load_dataset("json", data_files=str(source), cache_dir=str(cache))
        rows = loaded["train"]
        valid = rows.filter(lambda row: _is_valid(row["messages"]))
        train = valid.filter(lambda row: not _is_held_out(row["prompt_id"]))
        test = valid.filter(lambda row: _is_held_out(row["prompt_id"]))
        train.to_json(out / "train.jsonl")
        test.to_json(out / "test.jsonl")
        count = len(rows)
        shutil.rmtree(cache)
        return count

    return work


def by_polars() -> Callable[[Path, Path], int]:
    """Polars, all of it in its own expressions."""
    import polars
    from polars import col, element

    def work(source: Path, out: Path) -> int:
        frame = polars.read_ndjson(source)
        turns = col("messages").list
        roles = turns.eval(element().struct.field("role"))
        texts = turns.eval(element().struct.field("content"))
        asked = roles.list.gather_every(2).list.eval(element() == "user").list.all()
        answered = roles.list.gather_every(2, 1).list.eval(element() == "assistant").list.all()
        said = texts.list.eval(element().str.strip_chars().str.len_bytes() > 0).list.all()
        valid = frame.filter(asked & answered & said & (turns.len() % 2 == 0) & (turns.len() > 0))
        held_out = col("prompt_id").hash() < int(2**64 * TEST_SHARE)
        valid.filter(~held_out).write_ndjson(out / "train.jsonl")
        valid.filter(held_out).write_ndjson(out / "test.jsonl")
        return frame.height

    return work


def by_duckdb() -> Callable[[Path, Path], int]:
    """DuckDB, all of it in SQL."""
    import duckdb

    def work(source: Path, out: Path) -> int:
        with duckdb.connect() as database:
            database.execute(
                "CREATE TABLE chats AS SELECT *, hash(prompt_id) < 2::UBIGINT ** 64 * ? AS held_out"
                " FROM read_json(?, format = 'newline_delimited')",
                [TEST_SHARE, str(source)],
            )
            valid = (
                "len(messages) > 0 AND len(messages) % 2 = 0 AND len(list_filter(messages,"
                " lambda m, i: m.role <> CASE i % 2 WHEN 1 THEN 'user' ELSE 'assistant' END"
                " OR trim(m.content) = '')) = 0"
            )
            for name, condition in (("train", "NOT held_out"), ("test", "held_out")):
                database.execute(
                    f"COPY (SELECT prompt, prompt_id, messages FROM chats WHERE {valid}"
                    f" AND {condition}) TO '{out / name}.jsonl' (FORMAT json)"
                )
            row = database.execute("SELECT count(*) FROM chats").fetchone()
        return int(row[0]) if row else 0

    return work


WAYS = {
    "tuneops": by_tuneops,
    "copy": by_copy,
    "pandas": by_pandas,
    "datasets": by_datasets,
    "polars": by_polars,
    "duckdb": by_duckdb,
}


def _is_valid(messages: list[dict[str, str]]) -> bool:
    if not messages or len(messages) % 2:
        return False
    return all(
        message["role"] == ("assistant" if place % 2 else "user") and message["content"].strip()
        for place, message in enumerate(messages)
    )


def _is_held_out(identity: str) -> bool:
    return int(identity[:8], 16) < 2**32 * TEST_SHARE


def _lines(file: Path) -> int:
    """How many lines a file has, if it is there; read in pieces, since memory is measured."""
    if not file.exists():
        return 0
    with file.open("rb") as content:
        return sum(piece.count(b"\n") for piece in iter(lambda: content.read(2**20), b""))


def main(name: str, source: Path, out: Path) -> None:
    """Do it, and print how many rows and seconds; what is imported first is not counted."""
    work = WAYS[name]()
    out.mkdir(parents=True)
    begun = time.perf_counter()
    rows = work(source, out)
    seconds = time.perf_counter() - begun
    written = sum(_lines(out / f"{part}.jsonl") for part in ("train", "test"))
    print(json.dumps({"rows": rows, "seconds": seconds, "written": written}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))

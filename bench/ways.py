"""The same work in different ways: what `tuneops data prepare` does with chats, or the core of it.

    python bench/ways.py polars chats.jsonl OUT

Each way checks that user and assistant take turns, that the assistant has the last word and that no
turn is empty, drops conversations that were there before, holds out a tenth by a hash of the
conversation, estimates the tokens of both parts, and writes train.jsonl and test.jsonl. `copy` does
nothing but read and write lines: no way can be faster that looks at rows one by one.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from xxhash import xxh3_64_intdigest

TEST_SHARE = 0.1


def by_tuneops() -> Callable[[Path, Path], int]:
    """What `tuneops data prepare` does."""
    import os

    import jinja2  # noqa: F401  (the report's, which is loaded when there is one)

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
        keys = valid["messages"].map(_key)
        valid, keys = valid[~keys.duplicated()], keys[~keys.duplicated()]
        held_out = keys < int(2**64 * TEST_SHARE)
        tokens = valid["messages"].map(_tokens)
        for name, chosen in (("train", ~held_out), ("test", held_out)):
            part = valid[chosen]
            part.to_json(out / f"{name}.jsonl", orient="records", lines=True)
            _report(out, name, len(part), int(tokens[chosen].sum()))
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
        seen: set[str] = set()

        def is_new(row: dict[str, str]) -> bool:
            known = row["key"] in seen
            seen.add(row["key"])
            return not known

        def described(row: dict[str, list[dict[str, str]]]) -> dict[str, object]:
            messages = row["messages"]
            return {"key": f"{_key(messages):016x}", "tokens": _tokens(messages)}

        valid = rows.filter(lambda row: _is_valid(row["messages"]))
        fresh = valid.map(described).filter(is_new)
        limit = f"{int(2**64 * TEST_SHARE):016x}"
        for name, held_out in (("train", False), ("test", True)):
            part = fresh.filter(lambda row, held_out=held_out: (row["key"] < limit) == held_out)
            part.remove_columns(["key", "tokens"]).to_json(out / f"{name}.jsonl")
            _report(out, name, len(part), sum(part["tokens"]))
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
        characters = texts.list.eval(element().str.len_chars()).list.sum()
        valid = (
            frame.filter(asked & answered & said & (turns.len() % 2 == 0) & (turns.len() > 0))
            .with_columns(
                key=texts.list.join("\x1f").hash(), tokens=characters // 4 + 4 * turns.len()
            )
            .unique("key", keep="first", maintain_order=True)
        )
        held_out = col("key") < int(2**64 * TEST_SHARE)
        for name, chosen in (("train", ~held_out), ("test", held_out)):
            part = valid.filter(chosen)
            _report(out, name, part.height, part["tokens"].sum())
            part.drop("key", "tokens").write_ndjson(out / f"{name}.jsonl")
        return frame.height

    return work


def by_duckdb() -> Callable[[Path, Path], int]:
    """DuckDB, all of it in SQL."""
    import duckdb

    def work(source: Path, out: Path) -> int:
        with duckdb.connect() as database:
            database.execute(
                "CREATE TABLE chats AS SELECT *, hash(messages) AS key"
                " FROM read_json(?, format = 'newline_delimited')",
                [str(source)],
            )
            database.execute(
                "CREATE TABLE valid AS SELECT *, key < 2::UBIGINT ** 64 * ? AS held_out,"
                " list_sum(list_transform(messages, lambda m: length(m.content))) // 4"
                " + 4 * len(messages) AS tokens FROM chats"
                " WHERE len(messages) > 0 AND len(messages) % 2 = 0 AND len(list_filter(messages,"
                " lambda m, i: m.role <> CASE i % 2 WHEN 1 THEN 'user' ELSE 'assistant' END"
                " OR trim(m.content) = '')) = 0"
                " QUALIFY row_number() OVER (PARTITION BY key) = 1",
                [TEST_SHARE],
            )
            for name, condition in (("train", "NOT held_out"), ("test", "held_out")):
                database.execute(
                    f"COPY (SELECT prompt, prompt_id, messages FROM valid WHERE {condition})"
                    f" TO '{out / name}.jsonl' (FORMAT json)"
                )
                found = database.execute(
                    f"SELECT count(*), sum(tokens) FROM valid WHERE {condition}"
                ).fetchall()
                _report(out, name, *map(int, found[0]))
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


def _key(messages: list[dict[str, str]]) -> int:
    return xxh3_64_intdigest("\x1f".join(message["content"] for message in messages).encode())


def _tokens(messages: list[dict[str, str]]) -> int:
    return sum(len(message["content"]) for message in messages) // 4 + 4 * len(messages)


def _report(out: Path, part: str, rows: int, tokens: int) -> None:
    (out / f"{part}.json").write_text(json.dumps({"rows": rows, "tokens": tokens}))


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

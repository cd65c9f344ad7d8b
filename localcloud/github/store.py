"""Records and the last seen refs in an SQLite file."""

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from localcloud.github.records import Record

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    kind TEXT NOT NULL, id INTEGER NOT NULL, key TEXT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX IF NOT EXISTS records_by_key ON records (kind, key, id);
CREATE TABLE IF NOT EXISTS refs (name TEXT PRIMARY KEY, sha TEXT NOT NULL);
"""

R = TypeVar("R", bound=Record)


class Store:
    """May be used from several threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.executescript(_SCHEMA)
        self._lock = threading.RLock()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that the block writes, or nothing; other threads wait."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def add(self, record: R) -> R:
        """Keep a new record. Returns it with its id: 1, 2, ... of each kind."""
        kind = type(record).__name__
        with self._lock:
            (last,) = self._database.execute(
                "SELECT coalesce(max(id), 0) FROM records WHERE kind = ?", (kind,)
            ).fetchone()
            numbered = record.model_copy(update={"id": last + 1})
            self._database.execute(
                "INSERT INTO records VALUES (?, ?, ?, ?)",
                (kind, numbered.id, numbered.key, numbered.model_dump_json()),
            )
        return numbered

    def replace(self, record: Record) -> None:
        """Keep a record instead of the one with its id."""
        with self._lock:
            self._database.execute(
                "UPDATE records SET key = ?, document = ? WHERE kind = ? AND id = ?",
                (record.key, record.model_dump_json(), type(record).__name__, record.id),
            )

    def remove(self, record: Record) -> None:
        """Forget a record."""
        with self._lock:
            self._database.execute(
                "DELETE FROM records WHERE kind = ? AND id = ?", (type(record).__name__, record.id)
            )

    def get(self, kind: type[R], number: int) -> R | None:
        """A record by its id."""
        found = self._select("id = ?", kind, number)
        return found[0] if found else None

    def listed(self, kind: type[R], key: str | None = None) -> list[R]:
        """The records under a key, or all of a kind; oldest first."""
        if key is None:
            return self._select("id > ?", kind, 0)
        return self._select("key = ?", kind, key)

    def _select(self, condition: str, kind: type[R], value: object) -> list[R]:
        with self._lock:
            rows = self._database.execute(
                f"SELECT document FROM records WHERE kind = ? AND {condition} ORDER BY id",
                (kind.__name__, value),
            ).fetchall()
        return [kind.model_validate_json(document) for (document,) in rows]

    def refs(self) -> dict[str, str]:
        """The refs as they were saved last; none before the first time."""
        with self._lock:
            return dict(self._database.execute("SELECT name, sha FROM refs").fetchall())

    def save_refs(self, refs: Mapping[str, str]) -> None:
        """Save the refs."""
        with self._lock:
            self._database.execute("DELETE FROM refs")
            self._database.executemany("INSERT INTO refs VALUES (?, ?)", refs.items())

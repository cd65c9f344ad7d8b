"""The workspace's records: JSON documents in one SQLite file that survives restarts and crashes."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (kind, key)
);
"""


class Store:
    """Documents by kind and key, listed in the order of their creation.

    All callers live on one event loop and none of them awaits between two calls, so what one
    handler reads and writes is never mixed with another's; `transaction` makes it one commit.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.database = sqlite3.connect(path, isolation_level=None)
        self.database.execute("PRAGMA journal_mode=WAL")
        self.database.execute("PRAGMA synchronous=NORMAL")
        self.database.executescript(_SCHEMA)
        self._depth = 0

    def close(self) -> None:
        """Close the file; the store is of no use afterwards."""
        self.database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything inside at once, or nothing when it raises."""
        if self._depth:
            yield
            return
        self.database.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
        except BaseException:
            self.database.execute("ROLLBACK")
            raise
        else:
            self.database.execute("COMMIT")
        finally:
            self._depth = 0

    def get(self, kind: str, key: str) -> Json | None:
        """A copy of the document, or None."""
        query = "SELECT body FROM documents WHERE kind = ? AND key = ?"
        row = self.database.execute(query, (kind, key)).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, kind: str, key: str, body: Json) -> None:
        """Create or replace the document."""
        self.database.execute(
            "INSERT INTO documents (kind, key, body) VALUES (?, ?, ?)"
            " ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
            (kind, key, json.dumps(body)),
        )

    def delete(self, kind: str, key: str) -> None:
        """Remove the document, if it is there."""
        self.database.execute("DELETE FROM documents WHERE kind = ? AND key = ?", (kind, key))

    def list_without(self, kind: str, path: str, values: Sequence[str]) -> list[Json]:
        """Copies of the documents that have none of these values at a JSON path, oldest first."""
        marks = ", ".join("?" * len(values))
        query = (
            "SELECT body FROM documents WHERE kind = ?"
            f" AND json_extract(body, ?) NOT IN ({marks}) ORDER BY id"
        )
        rows = self.database.execute(query, (kind, path, *values))
        return [json.loads(row[0]) for row in rows]

    def list(self, kind: str, prefix: str = "") -> list[Json]:
        """Copies of the documents whose key begins with `prefix`, oldest first."""
        query = "SELECT body FROM documents WHERE kind = ? AND substr(key, 1, ?) = ? ORDER BY id"
        rows = self.database.execute(query, (kind, len(prefix), prefix))
        return [json.loads(row[0]) for row in rows]

    def count(self, kind: str) -> int:
        """How many documents of a kind there are."""
        query = "SELECT count(*) FROM documents WHERE kind = ?"
        return int(self.database.execute(query, (kind,)).fetchone()[0])

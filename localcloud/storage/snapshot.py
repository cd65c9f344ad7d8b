"""What the watcher has told Event Grid of: the blobs as they were, kept over restarts."""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

from localcloud.storage.blob_events import Blob

_SCHEMA = """
CREATE TABLE IF NOT EXISTS blobs (
    container TEXT, name TEXT, etag TEXT, content_type TEXT, blob_type TEXT, length INTEGER,
    PRIMARY KEY (container, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sequence (value INTEGER NOT NULL);
INSERT INTO sequence SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM sequence);
"""


@dataclass(frozen=True)
class Changes:
    """Blobs that are new or different, and blobs that are gone."""

    created: list[Blob]
    deleted: list[Blob]


def changes_between(before: Mapping[str, Blob], now: Mapping[str, Blob]) -> Changes:
    """What happened to a container's blobs, by name; a blob is different when its ETag is."""
    return Changes(
        created=[
            blob
            for name, blob in now.items()
            if name not in before or before[name].etag != blob.etag
        ],
        deleted=[blob for name, blob in before.items() if name not in now],
    )


class Snapshot:
    """The blobs that events were accepted for, in SQLite."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.executescript(_SCHEMA)

    def blobs(self, container: str) -> dict[str, Blob]:
        """The container's blobs by name; none for a container that was never looked at."""
        rows = self._database.execute("SELECT * FROM blobs WHERE container = ?", (container,))
        return {row[1]: Blob(*row) for row in rows}

    def accept(self, created: Iterable[Blob], deleted: Iterable[Blob]) -> None:
        """Remember that the events of these changes were accepted."""
        with self._database:
            self._database.execute("BEGIN")
            self._database.executemany(
                "INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?, ?, ?)",
                [astuple(blob) for blob in created],
            )
            self._database.executemany(
                "DELETE FROM blobs WHERE container = ? AND name = ?",
                [(blob.container, blob.name) for blob in deleted],
            )

    def next_sequence(self) -> int:
        """A number that is larger than all before it."""
        row = self._database.execute(
            "UPDATE sequence SET value = value + 1 RETURNING value"
        ).fetchone()
        return int(row[0])

    def close(self) -> None:
        """Close the database."""
        self._database.close()

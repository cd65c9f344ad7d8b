"""Deliveries that are owed, kept over restarts (SQLite)."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from localcloud.eventgrid.events import Event

_SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription TEXT NOT NULL,
    event TEXT NOT NULL,
    published REAL NOT NULL,
    due REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    last_attempt REAL,
    last_outcome TEXT,
    dead_reason TEXT
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (subscription, due);
CREATE TABLE IF NOT EXISTS counts (
    subscription TEXT PRIMARY KEY, delivered INTEGER DEFAULT 0, dead INTEGER DEFAULT 0
);
"""


@dataclass(frozen=True)
class Delivery:
    """One event owed to one subscription; times in seconds since 1970.

    ``dead_reason`` is set once the delivery was given up and only its dead letter is owed.
    """

    number: int
    subscription: str
    event: Event
    published: float
    due: float
    attempts: int
    last_attempt: float | None
    last_outcome: str | None
    dead_reason: str | None


@dataclass(frozen=True)
class Counts:
    """How many events of a subscription wait, arrived, and were given up."""

    pending: int
    delivered: int
    dead: int


class DeliveryQueue:
    """The owed deliveries of all subscriptions."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.executescript(_SCHEMA)

    def add(self, owed: Iterable[tuple[str, Event]], now: float) -> None:
        """Owe events to subscriptions, all of them or none."""
        rows = [(name, json.dumps(event), now, now) for name, event in owed]
        with self._database:
            self._database.execute("BEGIN")
            self._database.executemany(
                "INSERT INTO deliveries (subscription, event, published, due) VALUES (?, ?, ?, ?)",
                rows,
            )

    def due(self, subscription: str, now: float, limit: int) -> list[Delivery]:
        """What is due now, the longest owed first."""
        rows = self._database.execute(
            "SELECT number, subscription, event, published, due, attempts, last_attempt,"
            " last_outcome, dead_reason FROM deliveries"
            " WHERE subscription = ? AND due <= ? ORDER BY due, number LIMIT ?",
            (subscription, now, limit),
        )
        return [Delivery(row[0], row[1], json.loads(row[2]), *row[3:]) for row in rows]

    def next_due(self, subscription: str, now: float) -> float | None:
        """When the next delivery that is not due yet is due; None when there is none."""
        row = self._database.execute(
            "SELECT min(due) FROM deliveries WHERE subscription = ? AND due > ?",
            (subscription, now),
        ).fetchone()
        return None if row[0] is None else float(row[0])

    def delivered(self, delivery: Delivery) -> None:
        """The event arrived."""
        self._finish(delivery, "delivered")

    def buried(self, delivery: Delivery) -> None:
        """The dead letter is written."""
        self._finish(delivery, "dead")

    def _finish(self, delivery: Delivery, column: str) -> None:
        with self._database:
            self._database.execute("BEGIN")
            self._database.execute("DELETE FROM deliveries WHERE number = ?", (delivery.number,))
            self._database.execute(
                f"INSERT INTO counts (subscription, {column}) VALUES (?, 1)"
                f" ON CONFLICT DO UPDATE SET {column} = {column} + 1",
                (delivery.subscription,),
            )

    def failed(self, delivery: Delivery, outcome: str, now: float, due: float) -> None:
        """An attempt failed; there is another."""
        self._database.execute(
            "UPDATE deliveries SET attempts = attempts + 1, last_attempt = ?, last_outcome = ?,"
            " due = ? WHERE number = ?",
            (now, outcome, due, delivery.number),
        )

    def give_up(self, delivery: Delivery, reason: str, now: float) -> None:
        """There is no other attempt; a dead letter is owed at once."""
        self._database.execute(
            "UPDATE deliveries SET dead_reason = ?, due = ? WHERE number = ?",
            (reason, now, delivery.number),
        )

    def postpone(self, delivery: Delivery, due: float) -> None:
        """Look at it again at this time."""
        self._database.execute(
            "UPDATE deliveries SET due = ? WHERE number = ?", (due, delivery.number)
        )

    def forget_all_but(self, subscriptions: Iterable[str]) -> None:
        """Drop what is owed to subscriptions that are no more."""
        names = list(subscriptions)
        marks = ", ".join("?" * len(names))
        for table in ("deliveries", "counts"):
            self._database.execute(
                f"DELETE FROM {table} WHERE subscription NOT IN ({marks})", names
            )

    def counts(self, subscription: str) -> Counts:
        """The subscription's numbers since its first event."""
        pending = self._database.execute(
            "SELECT count(*) FROM deliveries WHERE subscription = ?", (subscription,)
        ).fetchone()[0]
        row = self._database.execute(
            "SELECT delivered, dead FROM counts WHERE subscription = ?", (subscription,)
        ).fetchone()
        delivered, dead = row or (0, 0)
        return Counts(pending, delivered, dead)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

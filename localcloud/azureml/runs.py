"""MLflow's runs, experiments and metrics, in the workspace's SQLite file."""

import math
import sqlite3
import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from localcloud.azureml.store import Store

_SCHEMA = """
CREATE TABLE IF NOT EXISTS experiments (
    id TEXT PRIMARY KEY, name TEXT UNIQUE NOT NULL, created INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, experiment TEXT NOT NULL, status TEXT NOT NULL,
    started INTEGER NOT NULL, ended INTEGER);
CREATE TABLE IF NOT EXISTS metrics (
    run TEXT NOT NULL, key TEXT NOT NULL, value REAL NOT NULL,
    timestamp INTEGER NOT NULL, step INTEGER NOT NULL,
    UNIQUE (run, key, step, timestamp, value));
CREATE TABLE IF NOT EXISTS params (
    run TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, key));
CREATE TABLE IF NOT EXISTS tags (
    run TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, key));
"""


class Experiment(NamedTuple):
    """An experiment; `created` in milliseconds since 1970."""

    id: str
    name: str
    created: int


class Run(NamedTuple):
    """A run; times in milliseconds since 1970, `ended` None while it lasts."""

    id: str
    experiment: str
    status: str
    started: int
    ended: int | None


class Metric(NamedTuple):
    """One value of a metric; `timestamp` in milliseconds since 1970."""

    key: str
    value: float
    timestamp: int
    step: int


class ParameterChangedError(Exception):
    """A parameter can be logged once only."""


class Runs:
    """Reads and writes runs. Values that are logged twice count once."""

    def __init__(self, store: Store) -> None:
        self._database = store.database
        self._transaction = store.transaction
        self._database.executescript(_SCHEMA)

    def ensure_experiment(self, experiment: str, name: str) -> None:
        """Create the experiment unless it is there."""
        statement = "INSERT OR IGNORE INTO experiments VALUES (?, ?, ?)"
        self._database.execute(statement, (experiment, name, now_ms()))

    def experiments(self) -> list[Experiment]:
        """All experiments, oldest first."""
        rows = self._database.execute("SELECT * FROM experiments ORDER BY rowid")
        return [Experiment(*row) for row in rows]

    def create(self, run: str, experiment: str, status: str, started: int | None = None) -> None:
        """Create a run unless it is there."""
        self._database.execute(
            "INSERT OR IGNORE INTO runs VALUES (?, ?, ?, ?, NULL)",
            (run, experiment, status, started or now_ms()),
        )

    def update(self, run: str, status: str, ended: int | None) -> None:
        """Set a run's status and end."""
        statement = "UPDATE runs SET status = ?, ended = ? WHERE id = ?"
        self._database.execute(statement, (status, ended, run))

    def get(self, run: str) -> Run | None:
        """The run with this id."""
        row = self._database.execute("SELECT * FROM runs WHERE id = ?", (run,)).fetchone()
        return Run(*row) if row else None

    def of_experiments(self, experiments: Iterable[str]) -> list[Run]:
        """The runs of some experiments, newest first."""
        wanted = list(experiments)
        marks = ", ".join("?" * len(wanted))
        query = f"SELECT * FROM runs WHERE experiment IN ({marks}) ORDER BY started DESC, rowid"
        return [Run(*row) for row in self._database.execute(query, wanted)]

    def children(self, run: str) -> list[Run]:
        """The runs whose tag `mlflow.parentRunId` names this run, oldest first."""
        rows = self._database.execute(
            "SELECT runs.* FROM runs JOIN tags ON tags.run = runs.id"
            " WHERE tags.key = 'mlflow.parentRunId' AND tags.value = ?"
            " ORDER BY runs.started, runs.rowid",
            (run,),
        )
        return [Run(*row) for row in rows]

    def log(
        self,
        run: str,
        *,
        metrics: Iterable[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Add metrics and parameters and set tags, all or nothing.

        Metrics that are not finite are dropped, as Azure drops them.

        Raises:
            ParameterChangedError: a parameter has another value already.
        """
        with self._transaction():
            for metric in filter(_is_finite, metrics):
                statement = "INSERT OR IGNORE INTO metrics VALUES (?, ?, ?, ?, ?)"
                values = (run, metric.key, metric.value, metric.timestamp, metric.step)
                self._database.execute(statement, values)
            known = self.params(run)
            for key, value in (params or {}).items():
                if known.get(key, value) != value:
                    raise ParameterChangedError(
                        f"Parameter '{key}' of run '{run}' is '{known[key]}' already."
                    )
                statement = "INSERT OR IGNORE INTO params VALUES (?, ?, ?)"
                self._database.execute(statement, (run, key, value))
            for key, value in (tags or {}).items():
                statement = "INSERT OR REPLACE INTO tags VALUES (?, ?, ?)"
                self._database.execute(statement, (run, key, value))

    def delete_tag(self, run: str, key: str) -> None:
        """Remove a tag."""
        self._database.execute("DELETE FROM tags WHERE run = ? AND key = ?", (run, key))

    def forget_metrics(self, run: str) -> None:
        """Remove all metrics of a run."""
        self._database.execute("DELETE FROM metrics WHERE run = ?", (run,))

    def history(self, run: str, key: str) -> list[Metric]:
        """All values of a metric in the order of step and time."""
        rows = self._database.execute(
            "SELECT key, value, timestamp, step FROM metrics WHERE run = ? AND key = ?"
            " ORDER BY step, timestamp, rowid",
            (run, key),
        )
        return [Metric(*row) for row in rows]

    def latest(self, run: str) -> dict[str, Metric]:
        """The last value of each metric."""
        rows = self._database.execute(
            "SELECT key, value, timestamp, step FROM metrics WHERE run = ?"
            " ORDER BY step, timestamp, rowid",
            (run,),
        )
        return {row[0]: Metric(*row) for row in rows}

    def params(self, run: str) -> dict[str, str]:
        """The run's parameters."""
        return _pairs(self._database, "SELECT key, value FROM params WHERE run = ?", run)

    def tags(self, run: str) -> dict[str, str]:
        """The run's tags."""
        return _pairs(self._database, "SELECT key, value FROM tags WHERE run = ?", run)


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _is_finite(metric: Metric) -> bool:
    return math.isfinite(metric.value)


def _pairs(database: sqlite3.Connection, query: str, run: str) -> dict[str, str]:
    return dict(database.execute(query, (run,)).fetchall())

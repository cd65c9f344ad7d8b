"""What scoring requests came to: counted and timed by deployment and minute."""

import asyncio
import json
import random
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from localcloud.azureml.arm import Json
from localcloud.azureml.store import Store

MINUTE = 60
KEPT_MINUTES = 24 * 60
SAMPLE = 1000
"""As many times of one minute are kept; of more, every one is kept with the same chance."""
SAVE_SECONDS = 2.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS scored (
    endpoint TEXT NOT NULL, deployment TEXT NOT NULL, minute INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (endpoint, minute, deployment));
"""


@dataclass
class Minute:
    """The requests of one deployment that were answered within one minute."""

    deployment: str
    start: int
    counts: Counter[tuple[int, str]] = field(default_factory=Counter)
    """By status, and by the status of the model itself, which is empty when it was not reached."""
    total_ms: float = 0.0
    times_ms: list[float] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """How many there were."""
        return self.counts.total()

    @property
    def average_ms(self) -> float:
        """The time that a request took on average."""
        return self.total_ms / self.requests

    def percentile_ms(self, percent: int) -> float:
        """The time within which so many percent of the requests were answered."""
        ordered = sorted(self.times_ms)
        return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]

    def add(self, status: int, model_status: str, milliseconds: float) -> None:
        """Count one more."""
        self.counts[status, model_status] += 1
        self.total_ms += milliseconds
        if len(self.times_ms) < SAMPLE:
            self.times_ms.append(milliseconds)
        elif (place := random.randrange(self.requests)) < SAMPLE:
            self.times_ms[place] = milliseconds

    def to_json(self) -> Json:
        """What is stored."""
        counts = [[*codes, count] for codes, count in self.counts.items()]
        return {"counts": counts, "total_ms": self.total_ms, "times_ms": self.times_ms}

    @classmethod
    def of(cls, deployment: str, start: int, stored: Json) -> Self:
        """What was stored."""
        counts = {(status, model): count for status, model, count in stored["counts"]}
        times = stored["times_ms"]
        return cls(deployment, start, Counter(counts), stored["total_ms"], times)


class Scored:
    """The minutes of all deployments; those of the last day are kept.

    What the last seconds added is held in memory alone, and lost when the process is killed.
    """

    def __init__(self, store: Store) -> None:
        self._database: sqlite3.Connection = store.database
        self._database.executescript(_SCHEMA)
        self._unsaved: dict[tuple[str, int, str], Minute] = {}

    def add(
        self, endpoint: str, deployment: str, seconds: float, status: int, model_status: str = ""
    ) -> None:
        """Count a request that was answered just now, after so many seconds."""
        minute = self._open(endpoint, deployment, int(time.time()) // MINUTE * MINUTE)
        minute.add(status, model_status, round(seconds * 1000, 3))

    def minutes(self, endpoint: str, since: int, until: int) -> list[Minute]:
        """The minutes of an endpoint's deployments that begin in a span of seconds."""
        self.save()
        rows = self._database.execute(
            "SELECT deployment, minute, body FROM scored"
            " WHERE endpoint = ? AND minute >= ? AND minute < ? ORDER BY minute, deployment",
            (endpoint, since, until),
        )
        return [Minute.of(name, start, json.loads(body)) for name, start, body in rows]

    async def save_forever(self) -> None:
        """Save what was added and drop what is old, until cancelled."""
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            self.save()
            self.drop_before(int(time.time()) - KEPT_MINUTES * MINUTE)

    def drop_before(self, oldest: int) -> None:
        """Forget the minutes that began before a time in seconds."""
        self._database.execute("DELETE FROM scored WHERE minute < ?", (oldest,))

    def save(self) -> None:
        """Save what was added."""
        unsaved, self._unsaved = self._unsaved, {}
        self._database.executemany(
            "INSERT OR REPLACE INTO scored (endpoint, minute, deployment, body)"
            " VALUES (?, ?, ?, ?)",
            [(*key, json.dumps(minute.to_json())) for key, minute in unsaved.items()],
        )

    def _open(self, endpoint: str, deployment: str, start: int) -> Minute:
        key = (endpoint, start, deployment)
        if key not in self._unsaved:
            row = self._database.execute(
                "SELECT body FROM scored WHERE endpoint = ? AND minute = ? AND deployment = ?", key
            ).fetchone()
            stored = Minute.of(deployment, start, json.loads(row[0])) if row else None
            self._unsaved[key] = stored or Minute(deployment, start)
        return self._unsaved[key]

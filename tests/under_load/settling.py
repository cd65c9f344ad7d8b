"""Waits until nothing is under way any more, and looks whether all came out right."""

import json
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage

from tests.under_load.world import World
from tuneops import documents
from tuneops.events.record import Event, fold
from tuneops.names import TAG_PROJECT
from tuneops.overview.document import Cards
from tuneops.phase import Phase
from tuneops.release import Release
from tuneops.store import Store

LOOK_SECONDS = 2.0
QUIET_LOOKS = 5
STALLED_SECONDS = 180
QUEUES = ("reconcile", "deliver")
STATE = "tuneops"


class Outcome:
    """What TuneOps has made of the world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._connection = world.cloud.connection["storage"]["connection_string"]
        self._store = Store(world.cloud.blobs, STATE)
        self._workspace = world.cloud.state / "azureml" / "workspace.sqlite"

    def phases(self) -> Counter[str]:
        """How many projects are in which phase, as the overview has them."""
        found: Counter[str] = Counter()
        for path in self._store.paths(documents.CARDS):
            stored = self._store.read(path, Cards)
            if stored:
                found.update(card.phase for card in stored.value.cards.values())
        return found

    def in_flight(self) -> int:
        """How many releases are on their way."""
        under_way = {phase for phase in Phase if not phase.ended}
        return sum(count for phase, count in self.phases().items() if phase in under_way)

    def until_settled(self) -> float:
        """Look until nothing changes any more and nothing is due; gives the seconds it took."""
        begun = moved = time.monotonic()
        quiet, before = 0, None
        while quiet < QUIET_LOOKS and time.monotonic() - moved < STALLED_SECONDS:
            seen = (self._waiting(), self.phases())
            if seen != before:
                before, moved, quiet = seen, time.monotonic(), 0
            elif self._is_quiet():
                quiet += 1
            time.sleep(LOOK_SECONDS)
        return time.monotonic() - begun

    def wrong(self) -> dict[str, str]:
        """The projects that are not as they should be, each with what is wrong."""
        azure = _Azure(self._workspace)
        found = {
            name: self._why_wrong(name, list(self._releases(name)), azure)
            for name in self._world.names
        }
        return {name: why for name, why in found.items() if why}

    def events(self) -> dict[str, Event]:
        """All events in the ledger, by id."""
        container = self._world.cloud.blobs.get_container_client(STATE)
        lines: list[bytes] = []
        for name in sorted(container.list_blob_names(name_starts_with=documents.EVENTS)):
            lines += container.download_blob(name).readall().splitlines()
        return {event.arrival.id: event for event in fold(lines)}

    def releases(self) -> int:
        """How many releases there are."""
        return sum(1 for _ in self._store.paths("releases/"))

    def left(self) -> int:
        """How many messages are due, or were given up."""
        poisoned = sum(_count(self._queue(f"{name}-poison")) for name in QUEUES)
        return poisoned + sum(len(self._due(name)) for name in QUEUES)

    def _is_quiet(self) -> bool:
        return not self.in_flight() and not any(self._due(name) for name in QUEUES)

    def _waiting(self) -> list[int]:
        return [_count(self._queue(name)) for name in QUEUES]

    def _due(self, name: str) -> list[QueueMessage]:
        return list(self._queue(name).peek_messages(max_messages=32))

    def _queue(self, name: str) -> QueueClient:
        return QueueClient.from_connection_string(self._connection, name)

    def _releases(self, name: str) -> Iterator[Release]:
        for path in self._store.paths(documents.releases(name)):
            stored = self._store.read(path, Release)
            if stored:
                yield stored.value

    def _why_wrong(self, name: str, releases: list[Release], azure: "_Azure") -> str:
        """What is wrong with a project; empty if nothing is."""
        if not releases:
            return "it has no release"
        newest, world = releases[-1], self._world
        traffic = azure.traffic.get(newest.endpoint)
        strange = azure.jobs[name] - {each.job_name for each in releases if each.training}
        steps = newest.config.training.parameters.max_steps
        wrongs = {
            f"release {newest.number} is {newest.phase}": newest.phase != Phase.LIVE,
            f"its config asks for {steps} steps": steps != world.steps[name],
            "its data is not the newest": _bare(newest.source.version) != _bare(world.data[name]),
            f"its endpoint's traffic is {traffic}": traffic != {newest.deployment_name: 100},
            "it has more than one deployment": azure.deployments[newest.endpoint] != 1,
            f"no release knows its jobs {sorted(strange)}": bool(strange),
        }
        return "; ".join(text for text, wrong in wrongs.items() if wrong)


class _Azure:
    """What stands in the workspace, read from its file: of hundreds the SDK takes minutes."""

    def __init__(self, file: Path) -> None:
        with closing(sqlite3.connect(file)) as database:
            query = "SELECT body FROM documents WHERE kind = ?"

            def resources(kind: str) -> Iterator[dict[str, Any]]:
                for (body,) in database.execute(query, (kind,)):
                    found = json.loads(body)
                    yield found.get("resource", found)

            self.traffic = {e["name"]: e["properties"]["traffic"] for e in resources("endpoints")}
            self.deployments = Counter(d["id"].split("/")[-3] for d in resources("deployments"))
            self.jobs: defaultdict[str, set[str]] = defaultdict(set)
            for job in resources("jobs"):
                self.jobs[job["properties"]["tags"].get(TAG_PROJECT, "")].add(job["name"])


def _count(queue: QueueClient) -> int:
    try:
        return int(queue.get_queue_properties().approximate_message_count or 0)
    except ResourceNotFoundError:
        return 0


def _bare(etag: str) -> str:
    return etag.strip('"')

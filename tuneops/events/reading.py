"""Reading what became of events, newest first."""

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import groupby
from typing import Annotated

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import ContainerClient
from pydantic import BaseModel, ConfigDict, Field

from tuneops import documents
from tuneops.events.record import MAX_ID, Event, Fate, Source, fold
from tuneops.names import PROJECT_KEY

MAX_SHOWN = 1000
MAX_BLOB_BYTES = 32 * 1024 * 1024
"""Of a blob no more is read; Azure lets it have 50,000 lines of some 600 bytes."""
KEPT_DAYS = 30


class Events(BaseModel):
    """Events of a day; `more` says that there are others of that kind."""

    day: date
    events: list[Event] = []
    more: bool = False


class Asked(BaseModel):
    """Which events are asked for; what is left out is any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    day: date
    project: Annotated[str | None, Field(pattern=PROJECT_KEY)] = None
    source: Source | None = None
    fate: Fate | None = None
    id: Annotated[str | None, Field(max_length=MAX_ID)] = None
    limit: Annotated[int, Field(ge=1, le=MAX_SHOWN)] = 100

    def wants(self, event: Event) -> bool:
        """Whether the event is one of those."""
        return (
            (self.project is None or self.project in event.projects)
            and (self.source is None or self.source == event.arrival.source)
            and (self.fate is None or self.fate == event.fate)
            and (self.id is None or self.id == event.arrival.id)
        )


def read_events(container: ContainerClient, asked: Asked) -> Events:
    """The newest events of a day that are asked for."""
    found = Events(day=asked.day)
    names = sorted(container.list_blob_names(name_starts_with=_folder(asked.day)), reverse=True)
    for _, hour in groupby(names, key=_hour):
        met = [event for event in _of_hour(container, hour) if asked.wants(event)]
        met.sort(key=lambda event: event.arrival.at, reverse=True)
        room = asked.limit - len(found.events)
        found.events += met[:room]
        if len(met) > room:
            found.more = True
            break
    return found


def forget(container: ContainerClient, today: date) -> int:
    """Delete what is older than `KEPT_DAYS`; gives the number of blobs."""
    kept = _folder(date.fromordinal(today.toordinal() - KEPT_DAYS))
    old = [
        name for name in container.list_blob_names(name_starts_with=documents.EVENTS) if name < kept
    ]
    for name in old:
        _delete(container, name)
    return len(old)


def _of_hour(container: ContainerClient, names: Iterable[str]) -> Iterator[Event]:
    """The events of an hour; a shard that has gone on in another blob is one with it."""
    for _, blobs in groupby(sorted(names, key=_shard), key=_shard):
        yield from fold(line for name in blobs for line in _lines(container, name))


def _lines(container: ContainerClient, name: str) -> list[bytes]:
    try:
        return container.download_blob(name, offset=0, length=MAX_BLOB_BYTES).readall().splitlines()
    except ResourceNotFoundError:
        return []


def _delete(container: ContainerClient, name: str) -> None:
    try:
        container.delete_blob(name)
    except ResourceNotFoundError:
        return


def _folder(day: date) -> str:
    return f"{documents.EVENTS}{day.isoformat()}/"


def _shard(name: str) -> str:
    return name.partition("~")[0].removesuffix(".jsonl")


def _hour(name: str) -> str:
    return name.rpartition("/")[2][:2]

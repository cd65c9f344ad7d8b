"""Writing down what became of events, a line each, in append blobs: many write, none waits.

There is a blob for each hour and shard, `events/2026-11-26/18-3.jsonl`; an event's lines are all
in that of the hour in which it came. Azure lets a blob have 50,000 of them, then `18-3~02.jsonl`
is next: https://learn.microsoft.com/azure/storage/blobs/scalability-targets
"""

import logging
import zlib
from contextlib import suppress
from itertools import count
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.storage.blob import ContainerClient

from tuneops import documents
from tuneops.events.record import Arrival, Outcome, text_of
from tuneops.store import SOON

SHARDS = 4
MAX_REFUSED_BYTES = 1024 * 1024
"""So much of what was refused is kept of an hour: some thousand events."""
_FULL = "BlockCountExceedsLimit"

log = logging.getLogger(__name__)


class Ledger:
    """What became of events, in one container."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    def arrived(self, arrival: Arrival) -> None:
        """Write down that an event came, now or not at all: its sender waits.

        One that was refused may be anybody's, who could send as many as they like: those of an
        hour have one small blob, and when that is full or can't be written, the log alone tells of
        them.
        """
        if arrival.verdict != "refused":
            self._write(_path(arrival.ticket), text_of(arrival), **SOON)
            return
        try:
            path = f"{_hour(arrival.ticket)}-refused.jsonl"
            self._append(path, text_of(arrival), MAX_REFUSED_BYTES, **SOON)
        except AzureError as error:
            log.warning("a refused event is in the log alone: %s", type(error).__name__)

    def came(self, arrival: Arrival) -> None:
        """Write down that an event came whose sender has gone."""
        self._write(_path(arrival.ticket), text_of(arrival))

    def led_to(self, ticket: str, outcome: Outcome, **options: Any) -> None:
        """Write down what an event has led to; `options` are the client's: `SOON` where its sender
        waits."""
        self._write(_path(ticket), text_of(outcome), **options)

    def _write(self, path: str, line: bytes, **options: Any) -> None:
        for number in count(1):
            more = f"~{number:02d}" if number > 1 else ""
            try:
                self._append(f"{path}{more}.jsonl", line, **options)
            except HttpResponseError as error:
                if getattr(error, "error_code", "") != _FULL:
                    raise
            else:
                return

    def _append(self, path: str, line: bytes, most: int | None = None, **options: Any) -> None:
        blob = self._container.get_blob_client(path)
        try:
            blob.append_block(line, maxsize_condition=most, **options)
        except ResourceNotFoundError:
            with suppress(ResourceExistsError):
                blob.create_append_blob(match_condition=MatchConditions.IfMissing, **options)
            blob.append_block(line, maxsize_condition=most, **options)


def _path(ticket: str) -> str:
    """The blob of an event's lines, without its ending."""
    identifier = ticket.partition(":")[2]
    return f"{_hour(ticket)}-{zlib.crc32(identifier.encode()) % SHARDS}"


def _hour(ticket: str) -> str:
    """How the blobs of the hour in which an event came begin."""
    return f"{documents.EVENTS}{ticket[:4]}-{ticket[4:6]}-{ticket[6:8]}/{ticket[8:10]}"

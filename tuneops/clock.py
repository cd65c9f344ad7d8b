"""The time, by the clock of the storage account: all hosts share that one.

A host's own clock may be wrong, drift and be set, and two hosts' clocks differ. What one host
writes down, another one holds against its own time, so both take the time from what they share:
each answer of storage says when it was given, in whole seconds. From one answer to the next only
the time that has passed is measured here, which nobody sets.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

SECOND = timedelta(seconds=1)
_BEGUN = "tuneops_begun"


def utc_now() -> datetime:
    """The time by the host's own clock, aware."""
    return datetime.now(UTC)


class Clock:
    """Says the time by the answers that it was shown; before the first by the host's own clock."""

    def __init__(
        self,
        own: Callable[[], datetime] = utc_now,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._own = own
        self._elapsed = elapsed
        self._last: tuple[datetime, float] | None = None

    @property
    def is_set(self) -> bool:
        """Whether it has been shown an answer."""
        return self._last is not None

    def __call__(self) -> datetime:
        """The time now, aware."""
        return self._at(self._elapsed())

    def hear(self, date: str, waited: float = 0) -> None:
        """Take the `Date` of an answer, which was waited for so many seconds.

        It was so late when the answer was given, or less than a second later. What is known already
        stands if it can be true, so the time does not jump by what a whole second leaves open.
        """
        try:
            said = parsedate_to_datetime(date).replace(tzinfo=UTC)
        except (TypeError, ValueError):
            return
        elapsed = self._elapsed()
        latest = said + SECOND + timedelta(seconds=waited)
        known = self._at(elapsed) if self._last else said
        self._last = (min(max(known, said), latest), elapsed)

    def _at(self, elapsed: float) -> datetime:
        if self._last is None:
            return self._own()
        at, before = self._last
        return at + timedelta(seconds=elapsed - before)

    @property
    def hooks(self) -> Mapping[str, Callable[[Any], None]]:
        """The options of a client of storage that show its answers to this clock."""
        return {"raw_request_hook": self._asked, "raw_response_hook": self._answered}

    def _asked(self, request: Any) -> None:
        request.context[_BEGUN] = self._elapsed()

    def _answered(self, response: Any) -> None:
        begun = response.context.get(_BEGUN)
        waited = self._elapsed() - begun if begun is not None else 0
        self.hear(response.http_response.headers.get("date", ""), waited)

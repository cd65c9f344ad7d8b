"""Keeping many mailboxes from trying a channel that fails: one tries it, the others wait."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from tuneops import documents
from tuneops.notify.channel import Channel, ChannelError
from tuneops.notify.health import PROBE, Health, read_health
from tuneops.overview.keeping import keep_channels
from tuneops.services import Services
from tuneops.store import ConflictError, Stored, UnreadableError

SPREAD_SECONDS = 5
"""Over so long those come back who wait for a channel."""


class Breaker:
    """What one worker knows of a channel's health."""

    def __init__(self, services: Services, channel: Channel, clock: Callable[[], datetime]) -> None:
        shared = any(each.id == channel.id for each in services.people)
        environment = "" if shared else services.environment
        self._store = services.store
        self._path = documents.health(channel.id, environment)
        self._new = Health(channel=channel.id, name=channel.name, environment=environment)
        self._clock = clock
        self._stored = self._load()
        self._tries = False

    @property
    def health(self) -> Health:
        """The channel's health as it was known last."""
        return self._stored.value if self._stored else self._new

    def admits(self) -> bool:
        """Whether this worker may try the channel now; one that fails is tried by one at a time."""
        if self._tries or self.health.failing_since is None or self.health.probe_at is None:
            return True
        now = self._clock()
        if self.health.probe_at > now:
            return False
        etag = self._stored.etag if self._stored else None
        try:
            probing = self.health.replace(probe_at=now + PROBE)
            self._stored = self._store.write(self._path, probing, etag)
        except ConflictError:
            self._stored = self._load()
            return False
        self._tries = True
        return True

    def next_try(self, now: datetime) -> datetime:
        """When this worker may try the channel: `now`, or after the one who tries it next."""
        at = self.health.probe_at
        if at is None or at <= now:
            return now
        return at + timedelta(seconds=random.uniform(0, SPREAD_SECONDS))

    def note_success(self) -> None:
        """The channel took something."""
        self._tries = False
        self._update(lambda health: health.succeeded(self._clock()))

    def note_failure(self, text: str, error: ChannelError) -> None:
        """The channel did not take something."""
        self._tries = False
        chance, asked = random.random(), error.retry_after or 0
        self._update(
            lambda health: health.failed(
                text, self._clock(), chance, asked=asked, permanent=error.permanent
            )
        )

    def _load(self) -> Stored[Health] | None:
        try:
            return self._store.read(self._path, Health)
        except UnreadableError:
            return None

    def _update(self, change: Callable[[Health], Health]) -> None:
        was_well = self.health.failing_since is None
        if change(self.health) == self.health:
            return
        now = self._store.update(self._path, Health, lambda known: change(known or self._new))
        self._stored = self._load()
        if was_well != (now.failing_since is None):
            keep_channels(self._store, read_health(self._store))

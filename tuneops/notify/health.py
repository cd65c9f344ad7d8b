"""How a channel fares: while it fails, one at a time tries it, and the others wait for that."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from tuneops import documents
from tuneops.document import Document
from tuneops.names import environment_of
from tuneops.notify.letter import Series
from tuneops.notify.mailbox import Note, read_note
from tuneops.notify.pauses import pause
from tuneops.store import Listed, Store, UnreadableError

PROBE = timedelta(minutes=1)
"""So long others wait for the one that tries a failing channel."""
NOTED_EVERY = timedelta(minutes=1)
"""A success that changes nothing else is written down no more often."""

log = logging.getLogger(__name__)


class Health(Document):
    """How a channel fares; nobody tries it before `probe_at`.

    `environment` is empty for a channel of all of them. `failures` were in vain since
    `failing_since`.
    """

    channel: str
    name: str = ""
    environment: str = ""
    failing_since: datetime | None = None
    failures: int = 0
    error: str = ""
    last_success: datetime | None = None
    probe_at: datetime | None = None

    @property
    def series(self) -> Series | None:
        """The tries in vain since the last success, if any."""
        return Series(self.failing_since, self.failures) if self.failing_since else None

    def failed(
        self, error: str, now: datetime, chance: float, *, asked: float = 0, permanent: bool = False
    ) -> "Health":
        """After a try in vain; what will never be taken keeps nothing else from being tried.

        `asked` are the seconds that the channel wants to be left alone.
        """
        failures = self.failures + 1
        return self.replace(
            failing_since=self.failing_since or now,
            failures=failures,
            error=error,
            probe_at=None if permanent else now + pause(failures, chance, asked),
        )

    def unusable(self, problem: str, now: datetime) -> "Health":
        """With what is wrong with its settings, whether something was sent to it or not."""
        return self.replace(failing_since=self.failing_since or now, error=problem)

    def succeeded(self, now: datetime) -> "Health":
        """After the channel took something."""
        known = self.last_success
        if self.failing_since is None and known and now - known < NOTED_EVERY:
            return self
        return Health(
            channel=self.channel, name=self.name, environment=self.environment, last_success=now
        )


@dataclass(frozen=True)
class ChannelHealth:
    """What people see of a channel; without `failures` nothing was tried since it fails."""

    id: str
    name: str
    environment: str
    failing_since: datetime | None
    error: str
    last_success: datetime | None
    next_try: datetime | None
    waiting: int
    given_up: int
    failures: int = 0

    @property
    def healthy(self) -> bool:
        """Whether the last try was not in vain."""
        return self.failing_since is None


def read_health(store: Store, mailboxes: Iterable[Listed] | None = None) -> list[ChannelHealth]:
    """All channels that something was sent to, the failing ones first.

    The `mailboxes` are listed unless that was done just now.
    """
    known = {(each.channel, each.environment): each for each in _stored(store)}
    if not known:
        return []
    notes: dict[tuple[str, str], list[Note]] = defaultdict(list)
    for listed in store.listed(documents.MAILBOXES) if mailboxes is None else mailboxes:
        channel, stream = documents.mailbox_in(listed.path)
        own = (channel, environment_of(stream))
        notes[own if own in known else (channel, "")].append(read_note(listed.note))
    seen = [_seen(health, notes[key]) for key, health in known.items()]
    return sorted(seen, key=lambda each: (each.healthy, each.name, each.environment))


def _stored(store: Store) -> Iterator[Health]:
    for path in store.paths(documents.CHANNELS):
        try:
            stored = store.read(path, Health)
        except UnreadableError as error:
            log.error("%s", error)
        else:
            if stored:
                yield stored.value


def _seen(health: Health, notes: Iterable[Note]) -> ChannelHealth:
    notes = list(notes)
    return ChannelHealth(
        id=health.channel,
        name=health.name or health.channel,
        environment=health.environment,
        failing_since=health.failing_since,
        error=health.error,
        last_success=health.last_success,
        next_try=health.probe_at,
        waiting=sum(note.waiting for note in notes),
        given_up=sum(note.given_up for note in notes),
        failures=health.failures,
    )

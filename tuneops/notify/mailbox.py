"""What one channel gets of one stream: what is owed, what became of the rest. Pure.

A stream is a project, or what else tells people things, such as sweeps. Messages are in the order
in which they were posted. A key that was posted is never posted again, as long as it is among the
`MAX_SETTLED` newest ones.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from tuneops.document import Document
from tuneops.looks import LOST_AFTER
from tuneops.message import Delivery, Message
from tuneops.notify.letter import Letter, Series, Settled
from tuneops.notify.routing import Route, due
from tuneops.project import Wake

MAX_SETTLED = 300
MAX_OWED = 500
MAX_THREADS = 50
MAX_PARCEL = 200


class Note(Document):
    """What stands beside a mailbox, so that a list of them tells."""

    waiting: int = 0
    given_up: int = 0
    wake_at: datetime | None = None

    def text(self) -> str:
        """The note as ASCII."""
        said = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(said, separators=(",", ":"))

    def forgotten(self, now: datetime) -> bool:
        """Whether something is owed and nobody will come for it."""
        lost = self.wake_at is None or self.wake_at + LOST_AFTER < now
        return bool(self.waiting) and lost


def read_note(text: str) -> Note:
    """A note from its text; one that can't be read says that something waits."""
    try:
        return Note.model_validate_json(text or "{}")
    except ValidationError:
        return Note(waiting=1)


class Mailbox(Document):
    """The messages of a stream to a channel, oldest first.

    `failures` were in vain since `failing_since`, and nothing is tried before `retry_at`. `threads`
    are the handles that the channel has given to releases. `wake` is the message that will bring
    somebody here.
    """

    owed: tuple[Letter, ...] = ()
    settled: tuple[Settled, ...] = ()
    threads: dict[str, str] = {}
    failing_since: datetime | None = None
    failures: int = 0
    retry_at: datetime | None = None
    wake: Wake | None = None

    @property
    def note(self) -> Note:
        """What a list of mailboxes tells of this one."""
        given_up = sum(each.sent_at is None for each in self.settled)
        wake_at = self.wake.at if self.wake else None
        return Note(waiting=len(self.owed), given_up=given_up, wake_at=wake_at)

    @property
    def keys(self) -> frozenset[str]:
        """The keys of all messages that are known here."""
        owed = (letter.key for letter in self.owed)
        return frozenset((*owed, *(each.key for each in self.settled)))

    def add(self, message: Message, before: Delivery) -> "Mailbox":
        """With a message, unless it was here; `before` is how far an earlier version came."""
        if message.key in self.keys:
            return self
        bare = message.replace(deliveries={}, posted=False)
        letter = Letter(message=bare, attempts=before.attempts, error=before.error)
        if before.settled:
            return self._settle([letter], before.sent_at)
        box = self.replace(owed=(*self.owed, letter))
        over = box.owed[:-MAX_OWED]
        return box.give_up(over, f"{MAX_OWED} newer messages wait") if over else box

    def sent(self, parcel: Sequence[Letter], at: datetime, thread: str, handle: str) -> "Mailbox":
        """After the channel took these; `handle` is that of the `thread`, empty without one."""
        tried = [each.replace(attempts=each.attempts + 1, error="") for each in parcel]
        threads = self.threads
        if thread and handle:
            others = {name: known for name, known in threads.items() if name != thread}
            threads = dict([*others.items(), (thread, handle)][-MAX_THREADS:])
        return self._settle(tried, at).replace(
            threads=threads, failing_since=None, failures=0, retry_at=None
        )

    def failed(
        self, parcel: Sequence[Letter], error: str, now: datetime, retry_at: datetime, route: Route
    ) -> "Mailbox":
        """After the channel did not take these; what has waited long enough is given up."""
        series = Series(self.failing_since or now, self.failures + 1)
        tried = {e.key: e.replace(attempts=e.attempts + 1, error=error) for e in parcel}
        box = self.replace(
            owed=tuple(tried.get(each.key, each) for each in self.owed),
            failing_since=series.since,
            failures=series.failures,
            retry_at=retry_at,
        )
        over = [each for each in tried.values() if series.gives_up(each, route, now)]
        return box.give_up(over, error) if over else box

    def refused(self, parcel: Sequence[Letter], error: str) -> "Mailbox":
        """After the channel said that it will never take these."""
        tried = [each.replace(attempts=each.attempts + 1) for each in parcel]
        return self.give_up(tried, error)

    def give_up(self, letters: Sequence[Letter], error: str) -> "Mailbox":
        """These are owed no more, though nobody got them."""
        return self._settle([each.replace(error=error) for each in letters], None)

    def expired(self, series: Series, route: Route, now: datetime) -> list[Letter]:
        """What has waited long enough while the channel was tried in vain for others."""
        return [each for each in self.owed if series.gives_up(each, route, now)]

    def parcel(self, route: Route, now: datetime) -> tuple[Letter, ...]:
        """What goes next, at once: a message, or several that become a digest; empty for none."""
        if self.retry_at and self.retry_at > now:
            return ()
        ready = _ready(self.owed, route, now)
        first = ready[:1]
        if not first or not route.digest or not first[0].is_held(route):
            return first
        count = next((n for n, each in enumerate(ready) if not each.is_held(route)), len(ready))
        return ready[: min(count, MAX_PARCEL)]

    def next_at(self, route: Route, now: datetime) -> datetime | None:
        """When something may go, as of `now`; None when nothing is owed."""
        first = min((due(route, each.message, now) for each in self.owed), default=None)
        return max(first, self.retry_at) if first and self.retry_at else first

    def _settle(self, letters: Sequence[Letter], sent_at: datetime | None) -> "Mailbox":
        """With what became of these; what was settled meanwhile stays as it was."""
        keys, known = {each.key for each in letters}, {each.key for each in self.settled}
        new = (each.settled(sent_at) for each in letters if each.key not in known)
        return self.replace(
            owed=tuple(each for each in self.owed if each.key not in keys),
            settled=(*self.settled, *new)[-MAX_SETTLED:],
        )


@dataclass(frozen=True)
class Outcome:
    """What became of a message on all channels: when the first took it, whether one still may."""

    sent_at: datetime | None
    owed: bool


def outcomes(boxes: Iterable[Mailbox]) -> dict[str, Outcome]:
    """The outcome of each message by its key."""
    found: dict[str, Outcome] = {}
    for box in boxes:
        for each in box.settled:
            known = found.get(each.key, Outcome(None, False))
            times = [at for at in (known.sent_at, each.sent_at) if at]
            found[each.key] = Outcome(min(times, default=None), known.owed)
        for letter in box.owed:
            known = found.get(letter.key, Outcome(None, False))
            found[letter.key] = Outcome(known.sent_at, owed=True)
    return found


def _ready(owed: Sequence[Letter], route: Route, now: datetime) -> tuple[Letter, ...]:
    """What is due, and what comes before it in the same release: its order is kept."""
    ready: list[Letter] = []
    threads: set[str] = set()
    for letter in reversed(owed):
        thread = letter.thread
        if due(route, letter.message, now) <= now or thread in threads:
            ready.append(letter)
            threads |= {thread} - {""}
    return tuple(reversed(ready))

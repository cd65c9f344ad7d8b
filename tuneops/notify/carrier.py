"""Emptying a mailbox: what is due is sent, in order, and each step is saved.

One worker at a time empties a mailbox, under a lease that is not the mailbox's own: messages are
posted meanwhile. A crash between sending and saving sends once more. A channel that fails is tried
by one worker at a time, whatever mailboxes wait for it.
"""

import logging
import random
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from azure.storage.blob import BlobLeaseClient

from tuneops import documents
from tuneops.document import Document
from tuneops.looks import LOST_AFTER
from tuneops.names import environment_of
from tuneops.notify.breaker import SPREAD_SECONDS, Breaker
from tuneops.notify.channel import Channel, ChannelBusyError, ChannelError
from tuneops.notify.digests import digest
from tuneops.notify.letter import Letter
from tuneops.notify.mailbox import Mailbox
from tuneops.notify.pauses import pause
from tuneops.notify.routing import left_out
from tuneops.project import Wake
from tuneops.queue import DeliverRequest
from tuneops.scrub import scrub
from tuneops.services import Services
from tuneops.store import BusyError, ConflictError, UnreadableError, hold
from tuneops.telemetry.deliveries import delivering

LONGEST_ROUND = timedelta(seconds=30)
BUSY_SECONDS = 4
SLACK = timedelta(seconds=SPREAD_SECONDS)
"""Nobody is asked to come by so little earlier than somebody will."""
MAX_ERROR = 300
LEFT_OUT = "the channel's route leaves it out by now"

log = logging.getLogger(__name__)


class Carrier(Document):
    """Is there to be leased."""


def carry(
    request: DeliverRequest, services: Services, clock: Callable[[], datetime] | None = None
) -> None:
    """Send what is due of a mailbox, and ask to be called again for what is not.

    Raises:
        NoSourceError: the settings have no source for the stream's environment.
    """
    services = services.of(environment_of(request.stream))
    try:
        stored = services.store.read(documents.mailbox(request.channel, request.stream), Mailbox)
        if stored is None or not stored.value.owed:
            return
        path = documents.carrier(request.channel, request.stream)
        with services.store.lease(path, Carrier()) as lease:
            _Round(request, services, lease, clock or services.clock).run()
    except (BusyError, ConflictError):
        services.deliveries.send(request, random.uniform(1, BUSY_SECONDS))
    except UnreadableError as error:
        log.error("%s of %s gets nothing: %s", request.channel, request.stream, error)


class _Round:
    """One worker's round with a mailbox, under its lease."""

    def __init__(
        self,
        request: DeliverRequest,
        services: Services,
        lease: BlobLeaseClient,
        clock: Callable[[], datetime],
    ) -> None:
        self.request = request
        self.services = services
        self.lease = lease
        self.clock = clock
        self.path = documents.mailbox(request.channel, request.stream)
        self.channel: Channel = services.channel(request.channel)
        self.breaker = Breaker(services, self.channel, clock)
        self.box = self._load()

    def run(self) -> None:
        """Send until nothing is due, the channel fails or time is over; then arrange the next."""
        begun = self.clock()
        self._leave_out()
        while self.clock() - begun < LONGEST_ROUND:
            parcel = self.box.parcel(self.channel.route, self.clock())
            if not parcel or not self._may_send():
                break
            hold(self.lease)
            self._send(parcel)
        self._arrange()

    def _leave_out(self) -> None:
        """What waits and is not for the channel any more, as its settings have changed, goes."""
        over = [each for each in self.box.owed if left_out(each.message, self.channel.route)]
        if over:
            self._save(lambda box: box.give_up(over, LEFT_OUT))

    def _may_send(self) -> bool:
        """Whether the channel may be tried; while others try it in vain, what is old goes."""
        if self.breaker.admits():
            return True
        series, now = self.breaker.health.series, self.clock()
        over = self.box.expired(series, self.channel.route, now) if series else []
        if over:
            error = self.breaker.health.error
            self._save(lambda box: box.give_up(over, error))
        return False

    def _send(self, parcel: tuple[Letter, ...]) -> None:
        """Send a message, or several as one, and save what became of that."""
        first, *more = (letter.message for letter in parcel)
        try:
            message = digest([first, *more], self.clock()) if more else first
            thread = Letter(message=message).thread
            with delivering(message, self.channel):
                handle = self.channel.send(message, self.box.threads.get(thread, ""))
        except ChannelError as error:
            self._note_failure(parcel, error)
        except Exception as error:
            kind = type(error).__name__
            log.error("channel %s, message %s: %s", self.channel.id, first.key, kind)
            self._note_failure(parcel, ChannelError(f"internal error ({kind})"))
        else:
            now = self.clock()
            self._save(lambda box: box.sent(parcel, now, thread, handle))
            self.breaker.note_success()

    def _note_failure(self, parcel: tuple[Letter, ...], error: ChannelError) -> None:
        text = scrub(str(error))[:MAX_ERROR]
        key, now = parcel[0].key, self.clock()
        log.warning("message %s not taken by %s: %s", key, self.channel.id, text)
        if error.permanent:
            self._save(lambda box: box.refused(parcel, text))
        else:
            rest = pause(self.box.failures + 1, random.random(), error.retry_after or 0)
            route = self.channel.route
            self._save(lambda box: box.failed(parcel, text, now, now + rest, route))
        if not isinstance(error, ChannelBusyError):
            self.breaker.note_failure(text, error)

    def _arrange(self) -> None:
        """Have somebody come when the next is due, unless a message for that is on its way."""
        now = self.clock()
        at = self.box.next_at(self.channel.route, now)
        wake = self.box.wake
        if wake and (wake.id == self.request.wake or wake.at + LOST_AFTER < now):
            wake = None
        if at is not None:
            at = max(at, self.breaker.next_try(now))
            if wake is None or wake.at - at > SLACK:
                wake = Wake(id=uuid.uuid4().hex, at=at)
                again = DeliverRequest(
                    channel=self.request.channel, stream=self.request.stream, wake=wake.id
                )
                self.services.deliveries.send(again, (at - now).total_seconds())
        self._save(lambda box: box.replace(wake=wake))

    def _load(self) -> Mailbox:
        stored = self.services.store.read(self.path, Mailbox)
        return stored.value if stored else Mailbox()

    def _save(self, change: Callable[[Mailbox], Mailbox]) -> None:
        """Change the mailbox as it is now: messages are posted meanwhile."""

        def changed(known: Mailbox | None) -> Mailbox:
            if known is None:
                raise ConflictError(f"{self.path} has gone")
            return change(known)

        self.box = self.services.store.update(
            self.path, Mailbox, changed, lambda box: box.note.text()
        )

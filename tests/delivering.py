"""Delivering what was posted, as the queue `deliver` would have it done. For tests."""

from collections.abc import Callable
from datetime import datetime

from tuneops import documents
from tuneops.clock import utc_now
from tuneops.notify.carrier import carry
from tuneops.queue import DeliverRequest
from tuneops.services import Services


def deliver_all(services: Services, clock: Callable[[], datetime] = utc_now) -> None:
    """Look into each mailbox once."""
    for path in list(services.store.paths(documents.MAILBOXES)):
        channel, stream = documents.mailbox_in(path)
        carry(DeliverRequest(channel=channel, stream=stream), services, clock)

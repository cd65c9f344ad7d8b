"""Finding mailboxes that were forgotten: a message was lost, or a worker died in the middle."""

import logging
from collections.abc import Collection
from datetime import datetime

from tuneops import documents
from tuneops.names import environment_of
from tuneops.notify.channels.broken import BrokenChannel
from tuneops.notify.health import Health, read_health
from tuneops.notify.mailbox import read_note
from tuneops.overview.keeping import keep_channels
from tuneops.queue import DeliverRequest
from tuneops.services import Services
from tuneops.store import Listed

log = logging.getLogger(__name__)


def remind(services: Services, now: datetime) -> None:
    """Have the mailboxes emptied that nobody will come for, and show how the channels fare."""
    mailboxes = list(services.store.listed(documents.MAILBOXES))
    for listed in mailboxes:
        channel, stream = documents.mailbox_in(listed.path)
        known = services.settings.source(environment_of(stream)) is not None
        if known and read_note(listed.note).forgotten(now):
            log.info("mailbox of %s to %s was forgotten", stream, channel)
            services.deliveries.send(DeliverRequest(channel=channel, stream=stream))
    _review(services, mailboxes, now)
    keep_channels(services.store, read_health(services.store, mailboxes))


def _review(services: Services, mailboxes: Collection[Listed], now: datetime) -> None:
    """Note a channel whose settings are wrong before anything is sent to it.

    How one fares that is no more, or was noted like that, is forgotten if nothing waits for it.
    """
    broken = {each.id: each for each in services.people if isinstance(each, BrokenChannel)}
    for each in read_health(services.store, mailboxes):
        gone = not services.has_channel(each.id, each.environment)
        mended = not (each.healthy or each.failures or each.id in broken)
        if not each.waiting and (gone or mended):
            services.store.delete(documents.health(each.id, each.environment))
    for channel in broken.values():
        _note(channel, services, now)


def _note(channel: BrokenChannel, services: Services, now: datetime) -> None:
    """Let people see what is wrong before the message comes that they miss then."""

    def change(known: Health | None) -> Health:
        health = known or Health(channel=channel.id, name=channel.name)
        return health.unusable(channel.problem, now)

    services.store.update(documents.health(channel.id, ""), Health, change)

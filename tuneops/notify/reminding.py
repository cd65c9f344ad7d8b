"""Finding mailboxes that were forgotten: a message was lost, or a worker died in the middle."""

import logging
from datetime import datetime

from tuneops import documents
from tuneops.names import environment_of
from tuneops.notify.health import read_health
from tuneops.notify.mailbox import read_note
from tuneops.overview.keeping import keep_channels
from tuneops.queue import DeliverRequest
from tuneops.services import Services

log = logging.getLogger(__name__)


def remind(services: Services, now: datetime) -> None:
    """Have the mailboxes emptied that owe something and that nobody will come for.

    How a channel fares that is no more, and for which nothing waits, is forgotten; how the others
    do is shown on the page.
    """
    for listed in services.store.listed(documents.MAILBOXES):
        channel, stream = documents.mailbox_in(listed.path)
        known = services.settings.source(environment_of(stream)) is not None
        if known and read_note(listed.note).forgotten(now):
            log.info("mailbox of %s to %s was forgotten", stream, channel)
            services.deliveries.send(DeliverRequest(channel=channel, stream=stream))
    kept = []
    for each in read_health(services.store):
        if each.waiting or services.has_channel(each.id, each.environment):
            kept.append(each)
        else:
            services.store.delete(documents.health(each.id, each.environment))
    keep_channels(services.store, kept)

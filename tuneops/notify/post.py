"""Handing messages over to the mailboxes of their channels, from where they are delivered.

Whoever owes a message writes it into a document of their own with what it tells of, posts it, and
then notes that it is posted. A crash between repeats that, which changes nothing: a mailbox takes a
key once.
"""

import logging
from collections.abc import Iterable, Sequence

from tuneops import documents
from tuneops.message import Delivery, Message
from tuneops.notify.channel import Channel
from tuneops.notify.links import linked
from tuneops.notify.mailbox import Mailbox
from tuneops.notify.routing import meant
from tuneops.queue import DeliverRequest
from tuneops.services import Services
from tuneops.store import Store, UnreadableError

log = logging.getLogger(__name__)


def post(
    services: Services, stream: str, messages: Sequence[Message], channels: Iterable[Channel]
) -> tuple[Message, ...]:
    """Hand over what is not posted yet, in its order; gives all of them as posted.

    Raises:
        azure.core.exceptions.AzureError: it can't be done now; nothing is lost by doing it again.
    """
    new = [linked(each, services.places) for each in messages if not each.posted]
    if new:
        for channel in channels:
            _put(services, channel, stream, [each for each in new if _takes(channel, each, new)])
    return tuple(each if each.posted else each.replace(posted=True) for each in messages)


def read_mailboxes(store: Store, stream: str) -> dict[str, Mailbox]:
    """The mailboxes of a stream by the ids of their channels.

    One that can't be read is left out: whoever posts next makes it anew.
    """
    found: dict[str, Mailbox] = {}
    for path in store.paths(documents.mailboxes(stream)):
        try:
            stored = store.read(path, Mailbox)
        except UnreadableError as error:
            log.error("%s", error)
        else:
            if stored:
                found[documents.mailbox_in(path)[0]] = stored.value
    return found


def _put(services: Services, channel: Channel, stream: str, messages: Sequence[Message]) -> None:
    """Add them to the channel's mailbox; somebody is asked to come as long as one is owed."""
    if not messages:
        return

    def change(known: Mailbox | None) -> Mailbox:
        box = known or Mailbox()
        for message in messages:
            box = box.add(message, message.deliveries.get(channel.id, Delivery()))
        return box

    path = documents.mailbox(channel.id, stream)
    box = services.store.update(path, Mailbox, change, lambda box: box.note.text())
    if {each.key for each in messages} & {letter.key for letter in box.owed}:
        services.deliveries.send(DeliverRequest(channel=channel.id, stream=stream))


def _takes(channel: Channel, message: Message, beside: Iterable[Message]) -> bool:
    """Whether the channel is to get the message.

    What an earlier version has delivered is not told to a channel that this version did not know.
    """
    if message.deliveries and not any(channel.id in each.deliveries for each in beside):
        return False
    return meant(message, channel.id, channel.name, channel.route)

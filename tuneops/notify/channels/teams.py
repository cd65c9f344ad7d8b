"""Teams, by the webhook of a workflow."""

import json
from http import HTTPStatus

from tuneops.message import Message
from tuneops.notify.channels.adaptive_card import envelope
from tuneops.notify.channels.post import post
from tuneops.notify.routing import Route

_FINAL = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE,)
"""A workflow that is switched off answers with 400 as well."""


class TeamsChannel:
    """A channel or chat in Teams; a workflow can't answer in a thread."""

    def __init__(self, channel_id: str, name: str, route: Route, url: str) -> None:
        self.id, self.name, self.route = channel_id, name, route
        self._url = url

    def send(self, message: Message, thread: str) -> str:
        """Post the message as a card.

        Raises:
            ChannelError: the workflow did not take it.
        """
        body = json.dumps(envelope(message), ensure_ascii=False).encode()
        post(self._url, body, {"content-type": "application/json"}, final=_FINAL)
        return ""

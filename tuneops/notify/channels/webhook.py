"""A webhook of your own: the message as JSON, signed."""

import time
from collections.abc import Callable

from tuneops.message import Message
from tuneops.notify.channels import signature
from tuneops.notify.channels.post import post
from tuneops.notify.channels.published import published
from tuneops.notify.routing import Route


class WebhookChannel:
    """An address that takes messages by the published schema."""

    def __init__(
        self,
        channel_id: str,
        name: str,
        route: Route,
        url: str,
        secret: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.id, self.name, self.route = channel_id, name, route
        self._url, self._secret = url, secret
        self._clock = clock

    def send(self, message: Message, thread: str) -> str:
        """Post the message.

        Raises:
            ChannelError: it was not taken.
        """
        body = published(message).model_dump_json().encode()
        now = int(self._clock())
        headers = {
            "content-type": "application/json",
            signature.TIMESTAMP: str(now),
            signature.HEADER: signature.signature(self._secret, now, body),
        }
        post(self._url, body, headers, (self._secret,))
        return ""

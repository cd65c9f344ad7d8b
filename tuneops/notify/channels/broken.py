"""A channel whose settings are wrong: it takes nothing until they are mended, and says so."""

import logging

from tuneops.message import Message
from tuneops.notify.channel import ChannelError
from tuneops.notify.routing import Route

log = logging.getLogger(__name__)


class BrokenChannel:
    """What is for it waits; nothing is sent anywhere."""

    def __init__(self, channel_id: str, name: str, route: Route, problem: str) -> None:
        self.id, self.name, self.route = channel_id, name, route
        self.problem = problem
        log.error("%s", problem)

    def send(self, message: Message, thread: str) -> str:
        """Take nothing.

        Raises:
            ChannelError: always, with what is wrong.
        """
        raise ChannelError(self.problem)

"""Standing in for a channel that messages wait for and that the settings do not name any more."""

from tuneops.message import Message
from tuneops.notify.channel import ChannelError
from tuneops.notify.routing import Route


class GoneChannel:
    """Takes nothing: an older or newer function app may know the channel, or it comes back."""

    route = Route()

    def __init__(self, identifier: str) -> None:
        self.id = self.name = identifier

    def send(self, message: Message, thread: str) -> str:
        """Refuse the message.

        Raises:
            ChannelError: always.
        """
        raise ChannelError("no channel of this name is in the settings")

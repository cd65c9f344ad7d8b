"""What every way to people offers."""

from typing import Protocol

from tuneops.message import Message
from tuneops.notify.routing import Route


class ChannelError(Exception):
    """A channel did not take a message; the text holds no secret.

    `permanent`: it will not take this message, whatever is mended meanwhile. `retry_after` are the
    seconds for which it wants to be left alone.
    """

    def __init__(
        self, text: str, permanent: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(text)
        self.permanent = permanent
        self.retry_after = retry_after


class ChannelBusyError(ChannelError):
    """A channel that is well did not take a message right now, as others are at it."""


class Channel(Protocol):
    """A way to people."""

    @property
    def id(self) -> str:
        """Names the channel in documents; it is stable and holds no secret."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def route(self) -> Route:
        """Which messages it gets, and when."""

    def send(self, message: Message, thread: str) -> str:
        """Deliver one message; gives the handle of its thread, empty where there is none.

        `thread` is what an earlier message of the same release got back.

        Raises:
            ChannelError: it was not taken.
        """

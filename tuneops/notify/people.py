"""Teams, Slack, mail and whatever else apprise knows, one channel for each URL."""

import hashlib

from pydantic import SecretStr

from tuneops.message import Message
from tuneops.notify.outbox import ChannelError
from tuneops.notify.routing import Route


class AppriseChannel:
    """One apprise URL. The URL is a secret: neither the id nor an error shows it."""

    route = Route()

    def __init__(self, url: SecretStr) -> None:
        self._url = url
        text = url.get_secret_value()
        scheme = text.partition("://")[0]
        self.id = f"{scheme}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        self.name = self.id

    def send(self, message: Message, thread: str) -> str:
        """Deliver one message.

        Raises:
            ChannelError: the URL is no apprise URL, or its service did not take the message.
        """
        import apprise

        notifier = apprise.Apprise()
        if not notifier.add(self._url.get_secret_value()):
            raise ChannelError("apprise does not know this kind of URL")
        links = "".join(f"\n{name}: {url}" for name, url in message.links.items())
        kind = apprise.NotifyType.FAILURE if message.event == "failed" else apprise.NotifyType.INFO
        if not notifier.notify(title=message.title, body=message.text + links, notify_type=kind):
            raise ChannelError("the service did not take the message")
        return ""

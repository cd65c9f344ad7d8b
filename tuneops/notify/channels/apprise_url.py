"""Whatever else apprise knows, one channel for each of its URLs."""

import hashlib
import os
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tuneops.message import Message
from tuneops.notify.channel import ChannelError
from tuneops.notify.channels import words
from tuneops.notify.channels.guard import check_address
from tuneops.notify.routing import Route

if TYPE_CHECKING:
    from apprise import NotifyType

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}(?=://)")
_MENTIONS = re.compile(r"@(?=\w)|<(?=[!@#&])")


def url_id(url: str) -> str:
    """What a channel of which only the URL is known is called; the URL is a secret.

    Of what is no URL nothing is shown: what stands there may be a secret from the first letter on.
    """
    scheme = _SCHEME.match(url)
    return f"{scheme[0] if scheme else 'url'}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"


class AppriseChannel:
    """One apprise URL. The URL is a secret: neither the id nor an error shows it."""

    def __init__(self, channel_id: str, name: str, route: Route, url: str) -> None:
        self.id, self.name, self.route = channel_id, name, route
        self._url = url

    def send(self, message: Message, thread: str) -> str:
        """Deliver one message.

        Raises:
            ChannelError: the URL is no apprise URL, or its service did not take the message.
        """
        import apprise

        self._check()
        notifier = apprise.Apprise()
        if not notifier.add(self._url):
            raise ChannelError("apprise does not know this kind of URL")
        sent = notifier.notify(
            title=unmentioned(words.title(message)),
            body=_body(message),
            body_format=apprise.NotifyFormat.TEXT,
            notify_type=_kind(message),
        )
        if not sent:
            raise ChannelError("the service did not take the message")
        return ""

    def _check(self) -> None:
        try:
            parts = urlsplit(self._url)
            host, port = parts.hostname or "", parts.port or 0
        except ValueError:
            return
        check_address(host, port, os.environ)


def _body(message: Message) -> str:
    facts = (f"{label}: {value}" for label, value in words.facts(message))
    links = (f"{name}: {url}" for name, url in words.links(message))
    text = unmentioned("\n".join(filter(None, (words.clean(message.text), *facts))))
    return "\n".join(filter(None, (text, *links)))


def unmentioned(text: str) -> str:
    """The text with nobody mentioned in it: some services look for that even in plain text."""
    return _MENTIONS.sub(lambda found: f"{found[0]}\u200b", text)


def _kind(message: Message) -> "NotifyType":
    import apprise

    if message.event == "live":
        return apprise.NotifyType.SUCCESS
    kinds = {"warning": apprise.NotifyType.WARNING, "error": apprise.NotifyType.FAILURE}
    return kinds.get(message.severity, apprise.NotifyType.INFO)

"""An Event Grid topic, which takes messages as CloudEvents."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, get_args

from tuneops.config import Event
from tuneops.message import Message
from tuneops.notify.channel import ChannelError
from tuneops.notify.channels.guard import check_url
from tuneops.notify.channels.post import retry_after
from tuneops.notify.channels.published import published
from tuneops.notify.routing import Route

if TYPE_CHECKING:
    from azure.core.credentials import AzureKeyCredential, TokenCredential
    from azure.core.exceptions import HttpResponseError

CONNECT_SECONDS = 5
READ_SECONDS = 10

_RELEASE_EVENTS = frozenset(get_args(Event))
_FINAL = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def event_type(event: str) -> str:
    """What kind of event it is, such as TuneOps.Release.Live or TuneOps.Summary."""
    name = "".join(part.capitalize() for part in event.split("_"))
    return f"TuneOps.Release.{name}" if event in _RELEASE_EVENTS else f"TuneOps.{name}"


def cloud_event(message: Message, source: str) -> dict[str, Any]:
    """The message as a CloudEvent; one that is delivered again has the same id."""
    subject = f"/releases/{message.release}" if message.release is not None else ""
    made = {
        "specversion": "1.0",
        "type": event_type(message.event),
        "source": source,
        "id": message.key,
        "time": message.at.isoformat(),
        "datacontenttype": "application/json",
        "data": published(message).model_dump(mode="json"),
    }
    project = f"projects/{message.project}{subject}" if message.project else ""
    return {**made, "subject": project} if project else made


class EventGridChannel:
    """A topic; who subscribes gets the messages."""

    def __init__(
        self,
        channel_id: str,
        name: str,
        route: Route,
        endpoint: str,
        source: str,
        login: "Callable[[], AzureKeyCredential | TokenCredential]",
    ) -> None:
        self.id, self.name, self.route = channel_id, name, route
        self._endpoint, self._source, self._login = endpoint, source, login

    def send(self, message: Message, thread: str) -> str:
        """Publish the message; it is tried once, since the caller tries again.

        Raises:
            ChannelError: the topic did not take it.
        """
        from azure.core.exceptions import AzureError, HttpResponseError
        from azure.eventgrid import EventGridPublisherClient

        check_url(self._endpoint, os.environ)
        try:
            with EventGridPublisherClient(self._endpoint, self._login()) as topic:
                topic.send(
                    cloud_event(message, self._source),
                    retry_total=0,
                    permit_redirects=False,
                    connection_timeout=CONNECT_SECONDS,
                    read_timeout=READ_SECONDS,
                )
        except HttpResponseError as error:
            raise _refusal(error) from error
        except AzureError as error:
            raise ChannelError(f"the topic can't be reached: {type(error).__name__}") from error
        return ""


def _refusal(error: "HttpResponseError") -> ChannelError:
    status = error.status_code
    if status is None:
        return ChannelError("the app's identity can't sign in")
    role = status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    hint = (
        ": the identity needs the role EventGrid Data Sender, or the key is wrong" if role else ""
    )
    headers = getattr(error.response, "headers", {})
    return ChannelError(
        f"the topic answered with status {status}{hint}",
        permanent=status in _FINAL,
        retry_after=retry_after(headers.get("retry-after", ""), datetime.now(UTC)),
    )

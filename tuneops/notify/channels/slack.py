"""Slack, by a bot's token with a thread for each release, or by an incoming webhook without."""

import json
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from tuneops.message import Message
from tuneops.notify.channel import ChannelError
from tuneops.notify.channels.blocks import Json, payload
from tuneops.notify.channels.post import Answer, post
from tuneops.notify.routing import Route

_JSON = {"content-type": "application/json; charset=utf-8"}
_NOT_THIS_MESSAGE = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "no_text"}
)
_NO_THREAD = frozenset({"thread_not_found", "message_not_found", "cannot_reply_to_message"})


class _Answer(BaseModel):
    ok: bool
    error: Annotated[str, Field(pattern=r"^[a-z0-9_]{0,80}$")] = ""
    ts: Annotated[str, Field(pattern=r"^[0-9.]{0,40}$")] = ""


class SlackWebhookChannel:
    """An incoming webhook; it tells no message's place, so there are no threads."""

    def __init__(self, channel_id: str, name: str, route: Route, url: str) -> None:
        self.id, self.name, self.route = channel_id, name, route
        self._url = url

    def send(self, message: Message, thread: str) -> str:
        """Post the message.

        Raises:
            ChannelError: Slack did not take it.
        """
        post(self._url, _encoded(payload(message)), _JSON)
        return ""


class SlackBotChannel:
    """A bot in a channel; the messages of a release answer its first."""

    def __init__(
        self, channel_id: str, name: str, route: Route, api_url: str, token: str, channel: str
    ) -> None:
        self.id, self.name, self.route = channel_id, name, route
        self._url = f"{api_url.rstrip('/')}/chat.postMessage"
        self._token, self._channel = token, channel

    def send(self, message: Message, thread: str) -> str:
        """Post the message; gives the place of the thread's first one.

        A thread that somebody has deleted is begun anew.

        Raises:
            ChannelError: Slack did not take it.
        """
        said = self._post({**payload(message), **_answering(message, thread)})
        if thread and said.error in _NO_THREAD:
            thread, said = "", self._post(payload(message))
        if not said.ok:
            raise ChannelError(f"Slack: {said.error}", permanent=said.error in _NOT_THIS_MESSAGE)
        return thread or said.ts

    def _post(self, content: Json) -> _Answer:
        headers = {**_JSON, "authorization": f"Bearer {self._token}"}
        body = _encoded({**content, "channel": self._channel})
        return _read(post(self._url, body, headers, (self._token,)))


def _answering(message: Message, thread: str) -> Json:
    """What puts it into the thread; what people must not miss is shown in the channel as well."""
    if not thread:
        return {}
    told = message.severity != "info" or message.event == "live"
    return {"thread_ts": thread, "reply_broadcast": told}


def _read(answer: Answer) -> _Answer:
    try:
        return _Answer.model_validate_json(answer.body)
    except ValidationError as error:
        raise ChannelError("the answer is none of Slack's") from error


def _encoded(content: Json) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()

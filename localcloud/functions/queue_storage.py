"""Storage queues: clients by connection setting, the encoding of messages, output bindings."""

import base64
import binascii
import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.storage.queue import ExponentialRetry, QueueClient

from localcloud.functions.app import AppError, Binding
from localcloud.functions.converters import converter

DEFAULT_CONNECTION = "AzureWebJobsStorage"

MessageEncoding = Literal["base64", "none"]


class UndecodableMessageError(Exception):
    """A message is not in the encoding that host.json names."""


class QueueStorage:
    """The queues that an app's bindings name."""

    def __init__(self, settings: Mapping[str, str], encoding: MessageEncoding) -> None:
        self._settings = settings
        self._encoding = encoding

    def client(self, binding: Binding, suffix: str = "") -> QueueClient:
        """A client of the binding's queue, or of the queue named after it with a suffix.

        Raises:
            AppError: the app has no such connection, or it is no connection string.
        """
        setting = binding.setting("connection") or DEFAULT_CONNECTION
        queue = binding.setting("queueName").lower() + suffix
        if uri := self._settings.get(f"{setting}__queueServiceUri"):
            return QueueClient(uri, queue, DefaultAzureCredential(), retry_policy=_retries())
        text = self._settings.get(setting) or self._settings.get(f"AzureWebJobs{setting}")
        if not text:
            raise AppError(f"binding {binding.name!r}: there is no app setting {setting!r}")
        try:
            return QueueClient.from_connection_string(
                text,
                queue,
                retry_policy=_retries(),
            )
        except ValueError as error:
            raise AppError(f"app setting {setting!r} is no connection string: {error}") from None

    def decode(self, text: str) -> bytes:
        """A message's bytes.

        Raises:
            UndecodableMessageError: it is not encoded as host.json says.
        """
        if self._encoding == "none":
            return text.encode()
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise UndecodableMessageError(str(error)) from None

    def send_output(self, binding: Binding, value: Any) -> None:
        """Send what a function returned or set; a list is sent as several messages.

        Raises:
            NotImplementedError: the value is of a type that queues don't take.
            azure.core.exceptions.AzureError: it could not be sent.
        """
        with self.client(binding) as queue:
            for body in _bodies(value):
                send_or_create(queue, self._encode(body))

    def _encode(self, body: bytes) -> str:
        return base64.b64encode(body).decode() if self._encoding == "base64" else body.decode()


def _retries() -> ExponentialRetry:
    return ExponentialRetry(initial_backoff=0, increment_base=2, retry_total=2)


def send_or_create(queue: QueueClient, text: str) -> None:
    """Send a message; a queue that does not exist is made."""
    try:
        queue.send_message(text)
    except ResourceNotFoundError:
        with contextlib.suppress(ResourceExistsError):
            queue.create_queue()
        queue.send_message(text)


def _bodies(value: Any) -> Iterator[bytes]:
    """The messages in an output, read with the converter that Microsoft's worker uses."""
    encoded = converter("queue").encode(value, expected_type=None)
    if encoded.type == "bytes":
        yield encoded.value
    elif encoded.type == "string":
        yield encoded.value.encode()
    else:
        messages = json.loads(encoded.value)
        for message in messages if isinstance(messages, list) else [messages]:
            yield (message if isinstance(message, str) else message["body"]).encode()

"""Storage's refusals, in words that say which role is missing."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from azure.core.exceptions import HttpResponseError

from tuneops.permissions.explaining import of_storage
from tuneops.permissions.storage_calls import Service

_REFUSED = (401, 403)


class StorageRefusedError(HttpResponseError):
    """The account does not let TuneOps do it; the message says what is missing, and where."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status_code = status


@contextmanager
def refusals_explained() -> Iterator[None]:
    """Let errors of the storage SDK say which role is missing, where one is.

    Raises:
        StorageRefusedError: in place of an error that says only that it is not allowed.
    """
    try:
        yield
    except HttpResponseError as error:
        if said := explained(error):
            raise StorageRefusedError(said, error.status_code or 0) from error
        raise


def explained(error: Exception) -> str | None:
    """What the storage account's refusal means; None for any other error."""
    if isinstance(error, StorageRefusedError):
        return str(error.message)
    if not isinstance(error, HttpResponseError) or error.status_code not in _REFUSED:
        return None
    answer: Any = error.response
    code = answer.headers.get("x-ms-error-code", "") if answer is not None else ""
    if not code:
        return None
    request = answer.request
    query = dict(parse_qsl(urlsplit(request.url).query))
    service: Service = "queue" if _is_queue(request.headers) else "blob"
    identity = _identity(request.headers.get("Authorization", ""))
    return of_storage(service, request.method, request.url, query, code, identity)


def _is_queue(headers: Any) -> bool:
    """Whether the SDK for queues has asked, by how it calls itself."""
    return "storage-queue" in headers.get("User-Agent", "")


def _identity(authorization: str) -> str:
    """Whose token it is, by what it says itself; empty where that can't be read."""
    parts = authorization.split(".")
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
        return str(payload.get("oid", ""))
    except (IndexError, ValueError, AttributeError):
        return ""

"""State in Blob Storage: JSON documents with ETags, and a lease per project.

An ETag makes a stale write fail, so of two workers only one can win; a lease keeps a second worker
from beginning at all. Neither relies on a clock of ours.
"""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobClient, BlobLeaseClient, BlobServiceClient, ContentSettings
from pydantic import ValidationError

from tuneops.document import Document
from tuneops.inheriting import inheriting
from tuneops.schema_versions import NewerSchemaError, decode, encode

LEASE_SECONDS = 20
RENEW_SECONDS = 6
SOON = {"retry_total": 0, "connection_timeout": 1, "read_timeout": 2}
"""For the storage SDK: whoever sends an event waits for no account that does not answer."""
_CONFLICTS = (409, 412)
_NOTE = "note"
_LATER = (
    "it is left to that. While TuneOps is being updated there is nothing to do; otherwise go on "
    "with the version that wrote it, or put back an earlier version of this blob"
)
_JSON = ContentSettings(content_type="application/json")

T = TypeVar("T", bound=Document)

_once: ContextVar[dict[str, Any] | None] = ContextVar("once", default=None)


class ConflictError(Exception):
    """Somebody else wrote the document first; load it again and decide anew."""


class UnreadableError(Exception):
    """What is stored is no document of this version; the message says where and what."""

    def __init__(self, message: str, etag: str) -> None:
        super().__init__(message)
        self.etag = etag


class NewerError(UnreadableError):
    """A later version of TuneOps has written the document: it is left to that."""


class BusyError(Exception):
    """Somebody else holds the lease."""


@dataclass(frozen=True)
class Stored(Generic[T]):
    """A document as it was read or written, with its ETag."""

    value: T
    etag: str


@dataclass(frozen=True)
class Listed:
    """A document in a list; the note is a short text that was written with it."""

    path: str
    etag: str
    note: str = ""


class Store:
    """JSON documents by path in one container; `options` are the SDK's, for each reading."""

    def __init__(self, service: BlobServiceClient, container: str, **options: Any) -> None:
        self._container = service.get_container_client(container)
        self._options = options
        self._kept: dict[str, Any] = {}

    def read(self, path: str, kind: type[T]) -> Stored[T] | None:
        """The document at `path`, or None when there is none; see `reading_once`.

        Raises:
            UnreadableError: what is stored there is no such document.
            NewerError: it is, of a version that this one does not know.
        """
        once = _once.get()
        if once is None:
            return self._read(path, kind)
        address = f"{self._container.url}/{path}"
        if address not in once:
            once[address] = self._read(path, kind)
        found: Stored[T] | None = once[address]
        return found

    def read_kept(self, path: str, kind: type[T]) -> Stored[T] | None:
        """As `read`, for what is large, asked for often and seldom changed.

        It is kept, and sent and parsed anew only when it has changed since.
        """
        kept: Stored[T] | None = self._kept.get(path)
        try:
            found = self._read(path, kind, _unless_still(kept.etag) if kept else {})
        except HttpResponseError as error:
            if error.status_code != HTTPStatus.NOT_MODIFIED:
                raise
            return kept
        self._kept[path] = found
        return found

    def _read(
        self, path: str, kind: type[T], condition: dict[str, Any] | None = None
    ) -> Stored[T] | None:
        try:
            download = self._container.download_blob(path, **self._options, **(condition or {}))
        except ResourceNotFoundError:
            return None
        where, etag = f"{self._container.container_name}/{path}", download.properties.etag
        try:
            value = decode(kind, download.readall())
        except NewerSchemaError as error:
            raise NewerError(f"{where} {error}; {_LATER}", etag) from error
        except ValidationError as error:
            raise UnreadableError(_complaint(where, error), etag) from error
        return Stored(value, etag)

    def has(self, path: str) -> bool:
        """Whether something is stored at `path`."""
        return self._container.get_blob_client(path).exists(**self._options)

    def write(
        self,
        path: str,
        value: T,
        etag: str | None,
        lease: BlobLeaseClient | None = None,
        note: str = "",
    ) -> Stored[T]:
        """Write the document if it still is what `etag` says; `etag` None: if there is none yet.

        The `note` is for `listed`: at most some thousand characters of ASCII.

        Raises:
            ConflictError: it has changed, appeared or been leased by somebody else.
        """
        condition: dict[str, Any] = {}
        if etag:
            condition = {"etag": etag, "match_condition": MatchConditions.IfNotModified}
        if lease:
            condition["lease"] = lease
        if note:
            condition["metadata"] = {_NOTE: note}
        try:
            answer = self._container.get_blob_client(path).upload_blob(
                encode(value),
                overwrite=etag is not None,
                content_settings=_JSON,
                **condition,
            )
        except HttpResponseError as error:
            if error.status_code not in _CONFLICTS:
                raise
            raise ConflictError(f"{path} was changed or leased by somebody else") from error
        return Stored(value, answer["etag"])

    def update(
        self,
        path: str,
        kind: type[T],
        change: Callable[[T | None], T],
        note: str | Callable[[T], str] = "",
        tries: float = math.inf,
    ) -> T:
        """Change a document that several writers share, as often as it takes to win.

        `change` gets what is stored (None at first, and when it can't be read) and returns what
        shall be; `note` may be made from that. What a later version has written is left as it is.

        Raises:
            ConflictError: others have won all the `tries`.
            NewerError: a later version has written it.
        """
        while True:
            try:
                stored = self._read(path, kind)
                known, etag = (stored.value, stored.etag) if stored else (None, None)
            except NewerError:
                raise
            except UnreadableError as error:
                known, etag = None, error.etag
            value = change(known)
            if value == known:
                return value
            try:
                said = note if isinstance(note, str) else note(value)
                return self.write(path, value, etag, note=said).value
            except ConflictError:
                tries -= 1
                if tries < 1:
                    raise

    def delete(self, path: str, etag: str = "", lease: BlobLeaseClient | None = None) -> None:
        """Delete the document, if it is there and still is what `etag` says, where one is given.

        Raises:
            ConflictError: it has changed or been leased by somebody else.
        """
        condition: dict[str, Any] = {"lease": lease} if lease else {}
        if etag:
            condition |= {"etag": etag, "match_condition": MatchConditions.IfNotModified}
        try:
            self._container.delete_blob(path, **condition)
        except ResourceNotFoundError:
            return
        except HttpResponseError as error:
            if error.status_code not in _CONFLICTS:
                raise
            raise ConflictError(f"{path} was changed or leased by somebody else") from error

    def paths(self, prefix: str) -> Iterator[str]:
        """The paths of all documents under `prefix`, in their order."""
        return iter(self._container.list_blob_names(name_starts_with=prefix))

    def listed(self, prefix: str) -> Iterator[Listed]:
        """All documents under `prefix`, in their order, 5,000 in a call."""
        for blob in self._container.list_blobs(name_starts_with=prefix, include=["metadata"]):
            yield Listed(blob.name, blob.etag, (blob.metadata or {}).get(_NOTE, ""))

    @contextmanager
    def lease(self, path: str, initial: Document) -> Iterator[BlobLeaseClient]:
        """Hold the lease on a document, which is created as `initial` when there is none.

        The lease is renewed for as long as the block runs; after a crash it runs out by itself
        within `LEASE_SECONDS`.

        Raises:
            BusyError: somebody else holds it.
        """
        blob = self._container.get_blob_client(path)
        try:
            held = _acquire(blob)
        except ResourceNotFoundError:
            self._create(path, initial)
            held = _acquire(blob)
        done = threading.Event()
        threading.Thread(target=inheriting(_keep), args=(held, done), daemon=True).start()
        try:
            yield held
        finally:
            done.set()
            _release(held)

    def _create(self, path: str, initial: Document) -> None:
        try:
            self.write(path, initial, etag=None)
        except ConflictError:
            return


@contextmanager
def reading_once() -> Iterator[None]:
    """While the block runs this thread reads each document once, so that all it shows agrees.

    It is for who changes nothing: what is written meanwhile is not seen.
    """
    token = _once.set({})
    try:
        yield
    finally:
        _once.reset(token)


def hold(lease: BlobLeaseClient) -> None:
    """Renew a lease before something is done that nobody else may do.

    Raises:
        ConflictError: it was lost.
    """
    try:
        lease.renew()
    except HttpResponseError as error:
        if error.status_code not in _CONFLICTS:
            raise
        raise ConflictError("the lease was lost") from error


def _unless_still(etag: str) -> dict[str, Any]:
    return {"etag": etag, "match_condition": MatchConditions.IfModified}


def _complaint(path: str, error: ValidationError) -> str:
    """The first error without what is stored, which may hold anything."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(map(str, first["loc"]))
    where = f"{path}, {field}" if field else path
    return (
        f"{where}: {first['msg']}; put back an earlier version of this blob, or go on with the "
        "version of TuneOps that wrote it"
    )


def _acquire(blob: BlobClient) -> BlobLeaseClient:
    try:
        return blob.acquire_lease(lease_duration=LEASE_SECONDS)
    except ResourceExistsError as error:
        raise BusyError("the lease is held by somebody else") from error


def _keep(held: BlobLeaseClient, done: threading.Event) -> None:
    """Renew until done; a lease that was lost is left, since writes then fail by themselves."""
    while not done.wait(RENEW_SECONDS):
        try:
            held.renew()
        except AzureError:
            return


def _release(held: BlobLeaseClient) -> None:
    """Give the lease back; one that can't be given back runs out by itself."""
    try:
        held.release()
    except AzureError:
        return

"""Reading blobs as streams, ahead of who reads them, at the version that is meant."""

import io
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobClient

from tuneops.data.errors import DataChangedError, DataUnavailableError
from tuneops.inheriting import inheriting
from tuneops.storage_refusal import explained

RANGE_BYTES = 4 * 1024 * 1024
AHEAD = 3
TRANSFER_SECONDS = 600


class BlobStream(io.RawIOBase):
    """A blob from its beginning to its end, or from wherever it is sought to."""

    def __init__(
        self, blob: BlobClient, etag: str, size: int, fetchers: ThreadPoolExecutor
    ) -> None:
        self._blob = blob
        self._etag = etag
        self._size = size
        self._fetchers = fetchers
        self._fetching: deque[Future[bytes]] = deque()
        self._next = 0
        self._at = 0
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always: parquet is read from its end."""
        return True

    def tell(self) -> int:
        """Where the next byte is read from."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go on reading elsewhere; what was read ahead is dropped."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        wanted = max(0, base + offset)
        if wanted != self._at:
            self._at = self._next = wanted
            self._fetching.clear()
            self._piece = memoryview(b"")
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer as far as what has come goes.

        Raises:
            DataChangedError: the blob was replaced or deleted.
            DataUnavailableError: the storage account does not answer.
        """
        if not self._piece and self._at < self._size:
            self._piece = memoryview(self._fetch())
        size = min(len(self._piece), len(buffer))
        buffer[:size] = self._piece[:size]
        self._piece = self._piece[size:]
        self._at += size
        return size

    def _fetch(self) -> bytes:
        while len(self._fetching) < AHEAD and self._next < self._size:
            length = min(RANGE_BYTES, self._size - self._next)
            fetch = inheriting(self._range)
            self._fetching.append(self._fetchers.submit(fetch, self._next, length))
            self._next += length
        name = self._blob.blob_name
        try:
            return self._fetching.popleft().result(timeout=TRANSFER_SECONDS)
        except (ResourceModifiedError, ResourceNotFoundError) as error:
            raise DataChangedError(f"{name} was replaced or deleted") from error
        except (AzureError, TimeoutError) as error:
            said = explained(error) or "the storage account does not answer"
            raise DataUnavailableError(f"{name}: {said}") from error

    def _range(self, start: int, length: int) -> bytes:
        download = self._blob.download_blob(
            start,
            length,
            etag=self._etag,
            match_condition=MatchConditions.IfNotModified,
        )
        return download.readall()


@contextmanager
def open_blob(blob: BlobClient, etag: str, size: int) -> Iterator[BlobStream]:
    """The blob at this ETag; `size` is its number of bytes."""
    with ThreadPoolExecutor(AHEAD) as fetchers:
        try:
            yield BlobStream(blob, etag, size, fetchers)
        finally:
            fetchers.shutdown(wait=False, cancel_futures=True)

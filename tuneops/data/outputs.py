"""Where prepared files go: a local folder, or blobs. They are seen when they are complete."""

import os
from base64 import b64encode
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from azure.storage.blob import BlobBlock, BlobClient, ContainerClient

from tuneops.inheriting import inheriting

STAGED_BYTES = 4 * 1024 * 1024
STAGERS = 2
MAX_UNSENT = 3
WRITTEN_BYTES = 128 * 1024
"""So many at once: Linux caches them together, and looks long for more room in one piece."""
TRANSFER_SECONDS = 600


class Sink(Protocol):
    """A place for files that are written together and appear together."""

    def write(self, name: str, *content: bytes | memoryview) -> None:
        """Add pieces to the end of a file."""

    def commit(self, names: set[str]) -> None:
        """Let the files of these names be seen; the others are dropped."""

    def discard(self) -> None:
        """Drop everything that was not committed, to begin anew."""


class Nowhere:
    """Drops what is written: for those who want the report alone."""

    def write(self, name: str, *content: bytes | memoryview) -> None:
        """Drop it."""

    def commit(self, names: set[str]) -> None:
        """There is nothing."""

    def discard(self) -> None:
        """There is nothing."""


class Folder:
    """A local folder, made when something is committed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._drafts: dict[str, Path] = {}
        self._open: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.discard()

    def write(self, name: str, *content: bytes | memoryview) -> None:
        """Add pieces to the end of a file."""
        if name not in self._open:
            self._path.mkdir(parents=True, exist_ok=True)
            draft = self._path / f".{name}.{os.getpid()}"
            self._open[name] = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            self._drafts[name] = draft
        for piece in content:
            _write_all(self._open[name], memoryview(piece))

    def commit(self, names: set[str]) -> None:
        """Rename the drafts to what they are."""
        for name in names & self._drafts.keys():
            self._drafts.pop(name).replace(self._path / name)
        self.discard()

    def discard(self) -> None:
        """Close all files and remove the drafts."""
        for descriptor in self._open.values():
            os.close(descriptor)
        for draft in self._drafts.values():
            draft.unlink(missing_ok=True)
        self._open, self._drafts = {}, {}


def _write_all(descriptor: int, content: memoryview) -> None:
    while content:
        content = content[os.write(descriptor, content[:WRITTEN_BYTES]) :]


class BlobFolder:
    """Blobs below a path, staged in blocks; the service drops blocks that are never committed."""

    def __init__(self, container: ContainerClient, path: str, sender: ThreadPoolExecutor) -> None:
        self._container = container
        self._path = path
        self._sender = sender
        self._blobs: dict[str, _StagedBlob] = {}

    @classmethod
    @contextmanager
    def open(cls, container: ContainerClient, path: str) -> Iterator["BlobFolder"]:
        """The folder, with threads that send."""
        with ThreadPoolExecutor(STAGERS) as sender:
            yield cls(container, path, sender)

    def write(self, name: str, *content: bytes | memoryview) -> None:
        """Add pieces to the end of a blob; sent once there is enough of it."""
        if name not in self._blobs:
            blob = self._container.get_blob_client(f"{self._path}/{name}")
            self._blobs[name] = _StagedBlob(blob, self._sender)
        for piece in content:
            self._blobs[name].write(piece)

    def commit(self, names: set[str]) -> None:
        """Let the blobs be seen, in the order in which they were begun."""
        for name, blob in self._blobs.items():
            if name in names:
                blob.commit()
        self.discard()

    def discard(self) -> None:
        """Forget what was staged."""
        self._blobs = {}


class _StagedBlob:
    def __init__(self, blob: BlobClient, sender: ThreadPoolExecutor) -> None:
        self._blob = blob
        self._sender = sender
        self._unsent = bytearray()
        self._ids: list[str] = []
        self._sending: deque[Future[object]] = deque()

    def write(self, content: bytes | memoryview) -> None:
        self._unsent += content
        if len(self._unsent) >= STAGED_BYTES:
            self._stage()

    def commit(self) -> None:
        if self._unsent:
            self._stage()
        while self._sending:
            self._sending.popleft().result(timeout=TRANSFER_SECONDS)
        self._blob.commit_block_list([BlobBlock(block_id=block) for block in self._ids])

    def _stage(self) -> None:
        if len(self._sending) >= MAX_UNSENT:
            self._sending.popleft().result(timeout=TRANSFER_SECONDS)
        block = b64encode(f"{len(self._ids):08}".encode()).decode()
        self._ids.append(block)
        content, self._unsent = bytes(self._unsent), bytearray()
        stage = inheriting(self._blob.stage_block)
        self._sending.append(self._sender.submit(stage, block, content))

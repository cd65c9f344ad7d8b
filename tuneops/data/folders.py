"""What lies in the data folders of all projects, from one list of their container."""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from azure.storage.blob import BlobProperties, BlobServiceClient

from tuneops.data.errors import storage_errors
from tuneops.data.upload import may_be_data

DIGEST_LENGTH = 12


def digests(service: BlobServiceClient, container: str, folders: Collection[str]) -> dict[str, str]:
    """A digest of what can be data in each folder that has any; folders end with a slash.

    Costs a call for every 5,000 blobs, however many folders there are.

    Raises:
        DataUnavailableError: the container is not there or may not be read.
    """
    with storage_errors(f"container {container}"):
        return digests_of(service.get_container_client(container).list_blobs(), folders)


def digests_of(blobs: Iterable[BlobProperties], folders: Collection[str]) -> dict[str, str]:
    """The digests of the folders by what lies in them, in the order of its names."""
    found: dict[str, Any] = {}
    for blob in blobs:
        if not may_be_data(blob.name):
            continue
        line = f"{blob.name}\n{blob.etag}\n{blob.size}\n".encode()
        for folder in _around(blob.name):
            if folder in folders:
                found.setdefault(folder, hashlib.sha256()).update(line)
    return {folder: made.hexdigest()[:DIGEST_LENGTH] for folder, made in found.items()}


def _around(name: str) -> Iterator[str]:
    """The folders that a blob is in, with their slashes."""
    end = name.find("/") + 1
    while end:
        yield name[:end]
        end = name.find("/", end) + 1

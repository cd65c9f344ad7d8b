"""What lies in the data folders of all projects, from one list of their container."""

import hashlib
from collections.abc import Collection, Iterator
from typing import Any

from azure.storage.blob import BlobServiceClient

from tuneops.data.errors import storage_errors
from tuneops.data.upload import may_be_data

DIGEST_LENGTH = 12


def digests(service: BlobServiceClient, container: str, folders: Collection[str]) -> dict[str, str]:
    """A digest of what can be data in each folder that has any; folders end with a slash.

    Costs a call for every 5,000 blobs, however many folders there are.

    Raises:
        DataUnavailableError: the container is not there or may not be read.
    """
    found: dict[str, Any] = {}
    with storage_errors(f"container {container}"):
        for blob in service.get_container_client(container).list_blobs():
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

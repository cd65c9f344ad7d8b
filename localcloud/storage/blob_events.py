"""Blob events as Azure Storage writes them.

https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

Event = dict[str, Any]


@dataclass(frozen=True)
class Blob:
    """What a blob event tells of a blob. ``etag`` is without quotes; ``length`` is in bytes."""

    container: str
    name: str
    etag: str
    content_type: str
    blob_type: str
    length: int


class BlobEvents:
    """Builds the events of one storage account."""

    def __init__(self, account: str, account_url: str, resource_group_path: str) -> None:
        self._account_url = account_url
        self._topic = f"{resource_group_path}/providers/Microsoft.Storage/storageAccounts/{account}"

    def created(self, blob: Blob, api: str, sequence: int, when: datetime) -> Event:
        """``Microsoft.Storage.BlobCreated`` for a blob whose content is whole.

        The same version of a blob gives an event of the same id, so that a receiver can tell an
        event that is sent again.
        """
        data = {
            "eTag": blob.etag,
            "contentType": blob.content_type,
            "contentLength": blob.length,
            "blobType": blob.blob_type,
        }
        return self._event("BlobCreated", api, blob, sequence, when, data)

    def deleted(self, blob: Blob, sequence: int) -> Event:
        """``Microsoft.Storage.BlobDeleted`` for the blob as it last was."""
        data = {"contentType": blob.content_type, "blobType": blob.blob_type}
        return self._event("BlobDeleted", "DeleteBlob", blob, sequence, datetime.now(UTC), data)

    def _event(
        self, kind: str, api: str, blob: Blob, sequence: int, when: datetime, data: Event
    ) -> Event:
        url = f"{self._account_url}/{blob.container}/{quote(blob.name)}"
        identifier = uuid.uuid5(uuid.NAMESPACE_URL, f"{url}#{blob.etag}#{kind}")
        return {
            "id": str(identifier),
            "topic": self._topic,
            "subject": f"/blobServices/default/containers/{blob.container}/blobs/{blob.name}",
            "eventType": f"Microsoft.Storage.{kind}",
            "eventTime": when.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "dataVersion": "",
            "metadataVersion": "1",
            "data": {
                "api": api,
                "clientRequestId": str(uuid.uuid4()),
                "requestId": str(uuid.uuid4()),
                **data,
                "url": url,
                "sequencer": f"{sequence:032X}",
                "storageDiagnostics": {"batchId": str(uuid.uuid4())},
            },
        }

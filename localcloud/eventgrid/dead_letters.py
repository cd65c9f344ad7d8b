"""Dead letters: events that were given up, as blobs.

https://learn.microsoft.com/azure/event-grid/manage-event-delivery#set-dead-letter-location
"""

import json
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient, ContentSettings

from localcloud.eventgrid.events import is_cloud_event
from localcloud.eventgrid.queue import Delivery

CONTAINER = "eventgrid-deadletter"


def blob_name(delivery: Delivery, when: datetime) -> str:
    """``SUBSCRIPTION/YEAR/MONTH/DAY/HOUR/GUID.json``: upper case, UTC, no leading zeros.

    The same delivery gets the same GUID, so that a letter written twice is one letter.
    """
    guid = uuid.uuid5(uuid.NAMESPACE_OID, f"{delivery.subscription}/{delivery.number}")
    hour = f"{when.year}/{when.month}/{when.day}/{when.hour}"
    return f"{delivery.subscription.upper()}/{hour}/{guid}.json"


def letter(delivery: Delivery) -> dict[str, Any]:
    """The event, and why and how often it could not be delivered."""
    details = {
        "deadLetterReason": delivery.dead_reason,
        "deliveryAttempts": delivery.attempts,
        "lastDeliveryOutcome": delivery.last_outcome,
        "publishTime": _timestamp(delivery.published),
        "lastDeliveryAttemptTime": _timestamp(delivery.last_attempt),
    }
    if is_cloud_event(delivery.event):
        # Names of CloudEvents extensions are lower case.
        details = {name.lower(): value for name, value in details.items()}
    return {**delivery.event, **details}


def _timestamp(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


class DeadLetters:
    """Writes dead letters into a container of the storage account."""

    def __init__(self, connection_string: str) -> None:
        # Retries belong to the delivery queue, which outlives this process.
        self._container = BlobServiceClient.from_connection_string(
            connection_string, retry_total=0, connection_timeout=5, read_timeout=15
        ).get_container_client(CONTAINER)

    def write(self, delivery: Delivery) -> None:
        """Write one; blocks.

        Raises:
            AzureError: the storage account does not answer.
        """
        with suppress(ResourceExistsError):
            self._container.create_container()
        when = datetime.fromtimestamp(delivery.last_attempt or delivery.published, UTC)
        self._container.upload_blob(
            blob_name(delivery, when),
            json.dumps([letter(delivery)]),
            overwrite=True,
            content_settings=ContentSettings(content_type="application/json"),
        )

    def close(self) -> None:
        """Close the connections."""
        self._container.close()

"""Raises blob events by looking at the containers again and again.

Azurite raises no events. What happens to one blob between two looks is seen as its outcome: a blob
that is written twice raises one event, and one that is created and deleted again raises none.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from itertools import islice

import httpx2
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import BlobProperties, BlobServiceClient, BlobType

from localcloud.connection import Connection, Topic
from localcloud.manifest import EventSubscription
from localcloud.storage.blob_events import Blob, BlobEvents, Event
from localcloud.storage.snapshot import Snapshot, changes_between

# Event Grid takes at most 1 MB in one request.
BATCH = 200
SUBJECT_PREFIX = re.compile("^/blobServices/default/containers/([^/]+)/", re.IGNORECASE)

log = logging.getLogger(__name__)


class EventsNotAcceptedError(Exception):
    """Event Grid did not take the events."""


class Watcher:
    """Tells the storage topic what changes in the containers that somebody subscribed to."""

    def __init__(
        self,
        connection: Connection,
        subscriptions: Iterable[EventSubscription],
        snapshot: Snapshot,
    ) -> None:
        # The next look is the retry.
        self._blobs = BlobServiceClient.from_connection_string(
            connection.storage.connection_string, retry_total=0, connection_timeout=5
        )
        self._containers = watched_containers(subscriptions)
        self._snapshot = snapshot
        self._events = BlobEvents(
            connection.storage.account,
            connection.storage.blob_url,
            f"/subscriptions/{connection.subscription_id}"
            f"/resourceGroups/{connection.resource_group}",
        )
        self._topic = TopicClient(connection.eventgrid.topics["storage"])
        self._troubled = False

    def look(self) -> None:
        """Look at every container once; what cannot be told now is told at a later look."""
        try:
            for container in self._container_names():
                self._look_at(container)
        except (AzureError, EventsNotAcceptedError) as error:
            if not self._troubled:
                log.warning("blob events wait: %s", error)
            self._troubled = True
            return
        if self._troubled:
            log.info("blob events are sent again")
        self._troubled = False

    def _container_names(self) -> Iterable[str]:
        if self._containers is not None:
            return sorted(self._containers)
        return [container.name for container in self._blobs.list_containers()]

    def _look_at(self, container: str) -> None:
        now = {blob.name: blob for blob in self._list(container)}
        changes = changes_between(self._snapshot.blobs(container), now)
        for created in _batches(changes.created):
            self._topic.send([event for blob in created for event in self._created(blob)])
            self._snapshot.accept(created, [])
        for deleted in _batches(changes.deleted):
            self._topic.send(
                [self._events.deleted(blob, self._snapshot.next_sequence()) for blob in deleted]
            )
            self._snapshot.accept([], deleted)

    def _list(self, container: str) -> Iterator[Blob]:
        try:
            for properties in self._blobs.get_container_client(container).list_blobs():
                yield as_blob(container, properties)
        except ResourceNotFoundError:
            return

    def _created(self, blob: Blob) -> list[Event]:
        """The event of a new blob; none when the blob has changed again, or gone, since."""
        client = self._blobs.get_blob_client(blob.container, blob.name)
        try:
            properties = client.get_blob_properties()
            if properties.etag.strip('"') != blob.etag:
                return []
            blocks = (
                client.get_block_list("committed")[0]
                if properties.blob_type == BlobType.BLOCKBLOB
                else []
            )
        except ResourceNotFoundError:
            return []
        api = "CopyBlob" if properties.copy.id else "PutBlockList" if blocks else "PutBlob"
        sequence = self._snapshot.next_sequence()
        return [self._events.created(blob, api, sequence, properties.last_modified)]

    def close(self) -> None:
        """Close the connections and the snapshot."""
        self._blobs.close()
        self._topic.close()
        self._snapshot.close()


class TopicClient:
    """Publishes to an Event Grid topic."""

    def __init__(self, topic: Topic) -> None:
        self._endpoint = topic.endpoint
        self._http = httpx2.Client(headers={"aeg-sas-key": topic.key}, timeout=30, trust_env=False)

    def send(self, events: list[Event]) -> None:
        """Publish events; none is no request.

        Raises:
            EventsNotAcceptedError: the topic cannot be reached or refuses them.
        """
        if not events:
            return
        try:
            answer = self._http.post(self._endpoint, json=events)
        except httpx2.HTTPError as error:
            raise EventsNotAcceptedError(f"{self._endpoint}: {error}") from None
        if not answer.is_success:
            raise EventsNotAcceptedError(f"{self._endpoint} answers {answer.status_code}")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def watched_containers(subscriptions: Iterable[EventSubscription]) -> set[str] | None:
    """The containers that subscriptions to the storage topic name; None means all."""
    containers: set[str] = set()
    for subscription in subscriptions:
        if subscription.topic != "storage":
            continue
        named = SUBJECT_PREFIX.match(subscription.subject_begins_with)
        if named is None:
            return None
        containers.add(named[1].lower())
    return containers


def as_blob(container: str, properties: BlobProperties) -> Blob:
    """A blob of a listing."""
    return Blob(
        container=container,
        name=properties.name,
        etag=properties.etag.strip('"'),
        content_type=properties.content_settings.content_type or "application/octet-stream",
        blob_type=BlobType(properties.blob_type).value,
        length=properties.size,
    )


def _batches(blobs: list[Blob]) -> Iterator[list[Blob]]:
    remaining = iter(blobs)
    while batch := list(islice(remaining, BATCH)):
        yield batch

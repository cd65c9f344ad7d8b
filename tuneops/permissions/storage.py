"""What TuneOps and the Functions host do in the storage account. Pure.

https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory
"""

from tuneops.permissions.role import Need
from tuneops.permissions.roles import BLOBS, QUEUES, TABLES

CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"
QUEUE = "Microsoft.Storage/storageAccounts/queueServices/queues"
_HOST = "the Functions host"

STORAGE = (
    Need(
        f"{CONTAINERS}/read",
        BLOBS,
        "doctor/looking/storage: ContainerClient.get_container_properties",
        "the doctor sees whether containers are closed to the public",
    ),
    Need(
        f"{CONTAINERS}/blobs/read",
        BLOBS,
        "store, data/upload, data/blobs: download_blob, list_blobs",
        "documents, training data",
        data=True,
    ),
    Need(
        f"{CONTAINERS}/blobs/write",
        BLOBS,
        "store, data/outputs: upload_blob, acquire_lease, stage_block; events/ledger: "
        "create_append_blob, append_block",
        "documents and their leases, prepared data, what became of events",
        data=True,
    ),
    Need(
        f"{CONTAINERS}/blobs/delete",
        BLOBS,
        "store.Store.delete, events/reading: delete_blob",
        "documents that are done with, events of long ago",
        data=True,
    ),
    Need(
        f"{QUEUE}/read",
        QUEUES,
        "doctor/looking/queues: QueueClient.get_queue_properties",
        "the doctor sees the queues",
    ),
    Need(
        f"{QUEUE}/write",
        QUEUES,
        "queue.RequestQueue.send: QueueClient.create_queue",
        "a queue that is missing is made; so does the host with those for what was given up",
        unseen="tests/test_held_up.py sends to a queue that is not there",
    ),
    Need(
        f"{QUEUE}/messages/write",
        QUEUES,
        "queue.RequestQueue.send: QueueClient.send_message; events/given_up: update_message",
        "asking for a look or a delivery; the host keeps its messages while it works",
        data=True,
    ),
    Need(
        f"{QUEUE}/messages/read",
        QUEUES,
        "doctor/looking/queues: QueueClient.peek_messages",
        "the doctor sees what waits",
        data=True,
    ),
    Need(
        f"{QUEUE}/messages/delete",
        QUEUES,
        "doctor/looking/queues: QueueClient.delete_message",
        "the doctor takes its own message back; so does the host with what is done",
        data=True,
    ),
    Need(
        f"{QUEUE}/messages/process/action",
        QUEUES,
        f"{_HOST}: queue triggers; events/given_up: QueueClient.receive_messages",
        "taking messages; the timer looks at those that were given up",
        data=True,
    ),
    Need(
        "Microsoft.Storage/storageAccounts/tableServices/tables/entities/write",
        TABLES,
        f"{_HOST}: diagnostic events",
        "what the portal shows of the host",
        data=True,
        unseen="the local host writes none",
    ),
)

"""Which actions calls of Storage's REST API ask for, as roles name them. Pure.

https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory
"""

from collections.abc import Mapping
from typing import NamedTuple

_BLOBS = "Microsoft.Storage/storageAccounts/blobServices"
_QUEUES = "Microsoft.Storage/storageAccounts/queueServices"
_VERBS = {"GET": "read", "HEAD": "read", "DELETE": "delete"}


class Asked(NamedTuple):
    """An action, whether it is one of data, and where below the account it is asked for."""

    action: str
    data: bool
    where: str


def of_blobs(method: str, path: str, query: Mapping[str, str]) -> Asked:
    """What a call of the blob service asks for; the path begins with the container."""
    container, _, blob = path.strip("/").partition("/")
    where = f"blobServices/default/containers/{container}" if container else "blobServices/default"
    if blob or (query.get("comp") == "list" and container):
        return Asked(f"{_BLOBS}/containers/blobs/{_VERBS.get(method, 'write')}", True, where)
    if container or query.get("comp") == "list":
        return Asked(f"{_BLOBS}/containers/{_VERBS.get(method, 'write')}", False, where)
    return Asked(f"{_BLOBS}/{_VERBS.get(method, 'write')}", False, where)


def of_queues(method: str, path: str, query: Mapping[str, str]) -> Asked:
    """What a call of the queue service asks for; the path begins with the queue."""
    queue, messages, _ = path.strip("/").partition("/messages")
    where = f"queueServices/default/queues/{queue}" if queue else "queueServices/default"
    if not messages:
        kind = f"{_QUEUES}/queues" if queue or query.get("comp") == "list" else _QUEUES
        return Asked(f"{kind}/{_VERBS.get(method, 'write')}", False, where)
    takes = method == "GET" and query.get("peekonly", "").lower() != "true"
    verb = "process/action" if takes else _VERBS.get(method, "write")
    return Asked(f"{_QUEUES}/queues/messages/{verb}", True, where)

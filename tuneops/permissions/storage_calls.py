"""Which action a call of Storage's REST API asks for, and where. Pure.

https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory
"""

from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

Service = Literal["blob", "queue"]

_ACCOUNTS = "Microsoft.Storage/storageAccounts"
_VERBS = {"GET": "read", "HEAD": "read", "DELETE": "delete"}


def action_of(service: Service, method: str, url: str, query: Mapping[str, str]) -> tuple[str, str]:
    """The action, and in words what it is asked for."""
    account, path = _parts(service, url)
    name, _, rest = path.partition("/")
    kind = "container" if service == "blob" else "queue"
    where = f"{kind} {name} of {account}" if name else f"storage account {account}"
    verb, listed = _VERBS.get(method, "write"), query.get("comp") == "list"
    if service == "queue":
        return f"{_ACCOUNTS}/queueServices/queues{_of_queue(method, verb, rest, query)}", where
    containers = f"{_ACCOUNTS}/blobServices/containers"
    if rest or (name and listed):
        return f"{containers}/blobs/{verb}", where
    service_itself = not name and not listed
    return f"{_ACCOUNTS}/blobServices/{verb}" if service_itself else f"{containers}/{verb}", where


def _of_queue(method: str, verb: str, rest: str, query: Mapping[str, str]) -> str:
    if not rest:
        return f"/{verb}"
    takes = method == "GET" and "peekonly" not in query
    return "/messages/process/action" if takes else f"/messages/{verb}"


def _parts(service: Service, url: str) -> tuple[str, str]:
    """The account, and the path below it: elsewhere than in Azure the path begins with its name."""
    parts = urlsplit(url)
    account, in_host, _ = parts.netloc.partition(f".{service}.")
    path = parts.path.strip("/")
    if in_host:
        return account, path
    account, _, path = path.partition("/")
    return account, path

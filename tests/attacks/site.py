"""The app in the local Functions host, to be attacked, and what may not change meanwhile."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx2
from starlette.applications import Starlette

from localcloud.functions.site import Host
from tuneops import documents
from tuneops.events.record import Event, fold
from tuneops.services import Services, open_queue

KEY, EVENT_GRID_KEY = "the-function-key", "the-event-grid-key"
URL = "http://127.0.0.1:7071"
RECORDS = (documents.EVENTS, documents.AUDIT)
"""Where it is written down what was tried; all the rest may not change."""


@dataclass(frozen=True)
class Site:
    """The host, and the services of the app behind it."""

    host: Host
    services: Services

    @cached_property
    def app(self) -> Starlette:
        """The host as a web application, whose listeners and timers do not run."""
        return self.host.site()

    def ask(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """What the host answers."""

        async def send() -> httpx2.Response:
            transport = httpx2.ASGITransport(app=self.app)
            async with httpx2.AsyncClient(transport=transport, base_url=URL) as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())

    def deliver(self, event: str, told: Any, **headers: str) -> httpx2.Response:
        """A webhook, signed as GitHub does."""
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        return self.ask("POST", "/api/github", content=body, headers=signed(event, body) | headers)

    def publish(self, function: str, *events: Any, **options: Any) -> httpx2.Response:
        """What Event Grid posts, with its key unless `params` are given."""
        known = {"functionName": function, "code": EVENT_GRID_KEY}
        options = {"params": known, "json": list(events), **options}
        return self.ask("POST", "/runtime/webhooks/eventgrid", **options)


def signed(event: str, body: bytes, secret: str = "secret") -> dict[str, str]:
    """The headers of a delivery."""
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": "d-1",
        "x-hub-signature-256": f"sha256={signature}",
    }


@contextmanager
def unchanged(services: Services) -> Iterator[list[Event]]:
    """Nothing but records is written meanwhile, nothing queued, nothing stored.

    Gives the events that were written down meanwhile, once it is over.
    """
    known, before = _lines(services), state_of(services)
    recorded: list[Event] = []
    yield recorded
    assert state_of(services) == before
    recorded += fold(_lines(services)[len(known) :])


def _lines(services: Services) -> list[bytes]:
    """All that is written down of events, as it came."""
    paths = services.state.list_blob_names(name_starts_with=documents.EVENTS)
    read = (services.state.download_blob(path).readall().splitlines() for path in paths)
    return sorted(
        (line for lines in read for line in lines), key=lambda line: json.loads(line)["at"]
    )


def asked_for(services: Services) -> list[dict[str, Any]]:
    """What was put on the queue, which is empty afterwards."""
    client = open_queue(services.settings, services.settings.reconcile_queue)
    found = [json.loads(base64.b64decode(each.content)) for each in client.receive_messages()]
    client.clear_messages()
    return found


def state_of(services: Services) -> Mapping[str, Any]:
    """Every document and blob with its ETag, and every message on a queue."""
    settings = services.settings
    listed = {each.path: each.etag for each in services.store.listed("")}
    found: dict[str, Any] = {
        "documents": {path: etag for path, etag in listed.items() if not path.startswith(RECORDS)}
    }
    for name in (settings.datasets_container, settings.prepared_container):
        blobs = services.blobs.get_container_client(name).list_blobs()
        found[name] = {blob.name: blob.etag for blob in blobs}
    for queue in (settings.reconcile_queue, settings.deliver_queue):
        found[queue] = [
            message.content for message in open_queue(settings, queue).peek_messages(32)
        ]
    return found

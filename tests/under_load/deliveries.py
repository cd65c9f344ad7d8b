"""Events as GitHub and Event Grid deliver them to the Functions host."""

import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from tests.under_load.plan import Planned
from tests.under_load.world import World, name_of

UPLOADS, JOBS = "on_dataset_uploaded", "on_job_event"


@dataclass(frozen=True)
class Delivery:
    """A POST, and the statuses that it may be answered with."""

    path: str
    headers: dict[str, str]
    body: bytes
    expected: frozenset[int] = frozenset({200, 202, 204})


class Deliveries:
    """Makes them; a duplicate is made once more with the same id."""

    def __init__(self, world: World) -> None:
        connection = world.cloud.connection
        self._world = world
        self._github = connection["github"]
        self._key = connection["functions"]["eventgrid_key"]
        self._account = connection["storage"]["account"]
        self._container = f"{connection['storage']['blob_url']}/datasets"

    def make(self, event: Planned) -> Delivery:
        """The delivery of an event, once what it tells of has happened."""
        if event.is_webhook:
            return self._push(event)
        if event.kind in ("upload", "other blob"):
            return self._blob(event)
        return self._run(event)

    def _push(self, event: Planned) -> Delivery:
        branch = "main" if event.kind != "pushed elsewhere" else "a-branch"
        body = json.dumps(
            {
                "ref": f"refs/heads/{branch}",
                "after": self._world.commit,
                "repository": {"full_name": self._github["repository"]},
            }
        ).encode()
        forged = event.kind == "forged"
        secret = "forged" if forged else self._github["webhook_secret"]
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "content-type": "application/json",
            "x-github-event": "push",
            "x-github-delivery": event.id,
            "x-hub-signature-256": f"sha256={digest}",
        }
        expected = frozenset({401}) if forged else frozenset({202})
        return Delivery("/api/github", headers, body, expected)

    def _blob(self, event: Planned) -> Delivery:
        name = name_of(event.project)
        blob = f"{name}/chats.jsonl" if event.kind == "upload" else f"elsewhere/{name}.jsonl"
        data = {"api": "PutBlob", "url": f"{self._container}/{blob}"}
        subject = f"/blobServices/default/containers/datasets/blobs/{blob}"
        return self._event(event, UPLOADS, "Microsoft.Storage.BlobCreated", subject, data)

    def _run(self, event: Planned) -> Delivery:
        run = f"{name_of(event.project)}-{'0' * 12}"
        if event.kind == "step":
            run = str(uuid.uuid5(uuid.NAMESPACE_URL, event.id))
        data = {"experimentName": "load", "runId": run, "runStatus": "Running"}
        kind = "Microsoft.MachineLearningServices.RunStatusChanged"
        return self._event(event, JOBS, kind, f"experiments/load/runs/{run}", data)

    def _event(
        self, event: Planned, function: str, kind: str, subject: str, data: dict[str, Any]
    ) -> Delivery:
        said = {
            "id": event.id,
            "topic": "/load",
            "subject": subject,
            "eventType": kind,
            "eventTime": datetime.now(UTC).isoformat(),
            "data": data,
            "dataVersion": "1",
            "metadataVersion": "1",
        }
        headers = {"content-type": "application/json", "aeg-event-type": "Notification"}
        path = f"/runtime/webhooks/eventgrid?functionName={function}&code={quote(self._key)}"
        return Delivery(path, headers, json.dumps([said]).encode())

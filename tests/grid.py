"""Events as Event Grid delivers them to a function. For tests."""

import uuid
from typing import Any

import httpx2

from tests.cloud import HTTP


def event(kind: str, subject: str, data: dict[str, Any]) -> dict[str, Any]:
    """An event in Event Grid's schema."""
    return {
        "id": str(uuid.uuid4()),
        "topic": "/subscriptions/s",
        "subject": subject,
        "eventType": kind,
        "eventTime": "2026-01-01T00:00:00Z",
        "dataVersion": "1",
        "metadataVersion": "1",
        "data": data,
    }


def post(connection: dict[str, Any], function: str, *events: dict[str, Any]) -> httpx2.Response:
    """Deliver events to a function of the local cloud."""
    functions = connection["functions"]
    return HTTP.post(
        f"{functions['base_url']}/runtime/webhooks/eventgrid",
        params={"functionName": function, "code": functions["eventgrid_key"]},
        headers={"aeg-event-type": "Notification"},
        json=list(events),
        timeout=30,
    )

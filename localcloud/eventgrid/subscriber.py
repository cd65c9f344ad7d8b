"""The function that a subscription delivers to."""

import json
import logging
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx2

from localcloud.connection import Functions
from localcloud.eventgrid.events import Event, is_cloud_event
from localcloud.manifest import EventSubscription

WEBHOOK_PATH = "/runtime/webhooks/eventgrid"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt: its name as in a dead letter, and the HTTP status if any."""

    name: str
    status: int | None = None

    @property
    def is_delivered(self) -> bool:
        """Whether the event was acknowledged."""
        return self.status is not None and 200 <= self.status < 300


class Subscriber:
    """Calls the Functions host's Event Grid webhook for one subscription."""

    def __init__(
        self, subscription: EventSubscription, functions: Functions, http: httpx2.AsyncClient
    ) -> None:
        self._subscription = subscription
        self._url = f"{functions.base_url}{WEBHOOK_PATH}"
        self._query = {"functionName": subscription.function, "code": functions.eventgrid_key}
        self._http = http

    async def shake_hands(self, topic: str) -> bool:
        """Ask whether the function wants events; it says so by returning the code it was sent.

        https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema
        """
        code = str(uuid.uuid4()).upper()
        event = {
            "id": str(uuid.uuid4()),
            "topic": topic,
            "subject": "",
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "data": {"validationCode": code},
            "dataVersion": "2",
            "metadataVersion": "1",
        }
        try:
            answer = await self._post([event], {"aeg-event-type": "SubscriptionValidation"})
            return answer.status_code == 200 and answer.json()["validationResponse"] == code
        except (httpx2.HTTPError, ValueError, KeyError, TypeError):
            return False

    async def deliver(self, event: Event, attempts: int) -> Outcome:
        """Try once; ``attempts`` is how often it was tried before."""
        headers = {
            "aeg-event-type": "Notification",
            "aeg-delivery-count": str(attempts),
            "aeg-metadata-version": "1",
            "aeg-data-version": quote(str(event.get("dataVersion", ""))),
        }
        if is_cloud_event(event):
            headers["content-type"] = "application/cloudevents+json; charset=utf-8"
        try:
            answer = await self._post(event if is_cloud_event(event) else [event], headers)
        except httpx2.TimeoutException:
            return Outcome("TimedOut")
        except httpx2.HTTPError as error:
            log.info("%s: %s", self._subscription.name, error)
            return Outcome("SocketError")
        return Outcome(_name(answer.status_code), answer.status_code)

    async def _post(self, body: Any, headers: dict[str, str]) -> httpx2.Response:
        own = {
            "aeg-subscription-name": self._subscription.name.upper(),
            "content-type": "application/json; charset=utf-8",
        }
        return await self._http.post(
            self._url,
            params=self._query,
            content=json.dumps(body).encode(),
            headers={**own, **headers},
        )


def _name(status: int) -> str:
    try:
        return HTTPStatus(status).phrase.replace(" ", "")
    except ValueError:
        return str(status)

"""Webhook deliveries: signed, sent once, kept with their response."""

import hashlib
import hmac
import json
import logging
import queue
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

import httpx2

from localcloud.github.records import Delivery, now
from localcloud.github.store import Store

TIMEOUT_SECONDS = 10.0
KEPT_DELIVERIES = 1000
KEPT_RESPONSE_CHARACTERS = 10_000

# The platform and the target start together: the first delivery waits for the target.
START_SECONDS = 20.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hook:
    """A webhook of the repository; without a `secret` of its own it has the manifest's."""

    id: int
    url: str
    events: tuple[str, ...]
    active: bool = True
    secret: str = ""

    def wants(self, event: str) -> bool:
        """Whether it is told of such events; a ping always is."""
        return event == "ping" or (self.active and bool({event, "*"} & {*self.events}))


class Deliveries:
    """Sends deliveries one after another from a thread of its own.

    Like GitHub it never repeats one by itself. What was not yet sent when the process ended is
    sent after the next start.
    """

    def __init__(self, store: Store, hooks: Sequence[Hook], secret: str) -> None:
        self.hooks = {hook.id: hook for hook in hooks}
        self._store = store
        self._secret = secret.encode()
        self._pending: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin to send, with what was left over first."""
        for delivery in self._store.listed(Delivery):
            if delivery.delivered_at is None:
                self._pending.put(delivery.id)
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the delivery it is at."""
        self._stopped.set()
        self._pending.put(None)
        self._thread.join(TIMEOUT_SECONDS)

    def configure(self, number: int, url: str | None, secret: str | None) -> None:
        """Give a webhook another address, or all of them another secret."""
        known = self.hooks.get(number)
        if known and url:
            self.hooks[number] = replace(known, url=url)
        if secret:
            self._secret = secret.encode()

    def create(self, url: str, events: tuple[str, ...], active: bool, secret: str) -> Hook:
        """A webhook more, until the process ends."""
        hook = Hook(max(self.hooks, default=0) + 1, url, events, active, secret)
        self.hooks[hook.id] = hook
        return hook

    def record(self, event: str, payload: Mapping[str, Any]) -> list[Delivery]:
        """Keep an event for every hook that wants it; ``send`` them after the transaction."""
        return [
            self._record(hook, event, payload) for hook in self.hooks.values() if hook.wants(event)
        ]

    def ping(self, hook: Hook, repository: Mapping[str, Any]) -> Delivery:
        """Keep a ping."""
        payload = {
            "zen": "Keep it logically awesome.",
            "hook_id": hook.id,
            "hook": {"type": "Repository", "id": hook.id, "events": hook.events, "active": True},
            "repository": repository,
            "sender": repository["owner"],
        }
        return self._record(hook, "ping", payload)

    def again(self, delivery: Delivery) -> Delivery:
        """Keep a redelivery: the same GUID and payload under a new id."""
        return self._store.add(
            Delivery(
                key=delivery.key,
                guid=delivery.guid,
                event=delivery.event,
                action=delivery.action,
                payload=delivery.payload,
                redelivery=True,
            )
        )

    def send(self, deliveries: Sequence[Delivery]) -> None:
        """Send kept deliveries soon."""
        for delivery in deliveries:
            self._pending.put(delivery.id)

    def _record(self, hook: Hook, event: str, payload: Mapping[str, Any]) -> Delivery:
        return self._store.add(
            Delivery(
                key=str(hook.id),
                guid=str(uuid.uuid4()),
                event=event,
                action=payload.get("action"),
                payload=json.dumps(payload, separators=(",", ":")),
            )
        )

    def _work(self) -> None:
        with httpx2.Client(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            waited = False
            while (number := self._pending.get()) is not None and not self._stopped.is_set():
                delivery = self._store.get(Delivery, number)
                hook = self.hooks.get(int(delivery.key)) if delivery else None
                if delivery and hook:
                    if not waited:
                        waited = True
                        self._wait_for(client, hook.url)
                    self._store.replace(self._attempt(client, hook, delivery))
                    self._forget(number - KEPT_DELIVERIES)

    def _wait_for(self, client: httpx2.Client, url: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and not self._stopped.is_set():
            try:
                client.head(url)
                return
            except httpx2.HTTPError:
                self._stopped.wait(0.2)

    def _attempt(self, client: httpx2.Client, hook: Hook, delivery: Delivery) -> Delivery:
        body = delivery.payload.encode()
        headers = self._headers(hook, delivery, body)
        started = time.monotonic()
        try:
            answer = client.post(hook.url, content=body, headers=headers)
        except httpx2.TimeoutException:
            outcome: dict[str, Any] = {"status": "timed out"}
        except httpx2.HTTPError as error:
            outcome = {"status": "failed to connect to host", "response_body": str(error)}
        else:
            outcome = {
                "status": "OK" if answer.is_success else _phrase(answer.status_code),
                "status_code": answer.status_code,
                "response_headers": dict(answer.headers),
                "response_body": answer.text[:KEPT_RESPONSE_CHARACTERS],
            }
        log.info("%s %s to %s: %s", delivery.event, delivery.guid, hook.url, outcome["status"])
        duration = round(time.monotonic() - started, 2)
        outcome |= {"duration": duration, "delivered_at": now(), "request_headers": headers}
        return delivery.model_copy(update=outcome)

    def _headers(self, hook: Hook, delivery: Delivery, body: bytes) -> dict[str, str]:
        secret = hook.secret.encode() or self._secret
        signatures = {name: hmac.new(secret, body, name).hexdigest() for name in ("sha1", "sha256")}
        return {
            "Accept": "*/*",
            "Content-Type": "application/json",
            "User-Agent": f"GitHub-Hookshot/{hashlib.sha256(secret).hexdigest()[:7]}",
            "X-GitHub-Delivery": delivery.guid,
            "X-GitHub-Event": delivery.event,
            "X-GitHub-Hook-ID": str(hook.id),
            "X-GitHub-Hook-Installation-Target-Type": "repository",
            "X-Hub-Signature": f"sha1={signatures['sha1']}",
            "X-Hub-Signature-256": f"sha256={signatures['sha256']}",
        }

    def _forget(self, number: int) -> None:
        if delivery := self._store.get(Delivery, number):
            self._store.remove(delivery)


def _phrase(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return f"Invalid HTTP Response: {code}"

"""Sends deliveries over several connections, at a rate or as fast as they are taken."""

import http.client
import queue
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.under_load.deliveries import Deliveries
from tests.under_load.plan import Planned

CONNECTIONS = 12
ANSWERED_IN = 60
TRIES = 5
AT_ONCE = 0.001
"""So many seconds a thread may work while others wait to: an answer is noted when it comes."""


@dataclass
class Sent:
    """What became of deliveries, as their senders saw it."""

    webhook_seconds: list[float] = field(default_factory=list)
    event_seconds: list[float] = field(default_factory=list)
    accepted: set[str] = field(default_factory=set)
    unexpected: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    took: float = 0.0

    @property
    def count(self) -> int:
        """How many were answered."""
        return len(self.webhook_seconds) + len(self.event_seconds)


class Sender:
    """Connections to the host, each of which sends one delivery after the other."""

    def __init__(self, base_url: str, deliveries: Deliveries, change: Callable[[Planned], None]):
        self._host = urlsplit(base_url).netloc
        self._deliveries = deliveries
        self._change = change
        self._lock = threading.Lock()

    def send(self, events: Iterable[Planned], rate: float = 0.0) -> Sent:
        """Send the events, `rate` of them in a second; without a rate, as fast as may be."""
        sent, waiting = Sent(), queue.Queue[Planned | None](CONNECTIONS * 4)
        threads = [
            threading.Thread(target=self._connection, args=(waiting, sent))
            for _ in range(CONNECTIONS)
        ]
        sys.setswitchinterval(AT_ONCE)
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        for number, event in enumerate(events):
            if rate:
                time.sleep(max(0.0, begun + number / rate - time.monotonic()))
            waiting.put(event)
        for _ in threads:
            waiting.put(None)
        for thread in threads:
            thread.join()
        sent.took = time.monotonic() - begun
        return sent

    def _connection(self, waiting: "queue.Queue[Planned | None]", sent: Sent) -> None:
        host = http.client.HTTPConnection(self._host, timeout=ANSWERED_IN)
        while event := waiting.get():
            try:
                if event.change:
                    self._change(event)
                self._deliver(host, event, sent)
            except Exception as error:
                self._refused(sent, event, type(error).__name__)
        host.close()

    def _deliver(self, host: http.client.HTTPConnection, event: Planned, sent: Sent) -> None:
        """Deliver it, again if it was not taken, as Event Grid does and people do at GitHub."""
        delivery = self._deliveries.make(event)
        for _ in range(TRIES):
            begun = time.perf_counter()
            answer = _post(host, delivery.path, delivery.headers, delivery.body)
            seconds = time.perf_counter() - begun
            with self._lock:
                if answer in delivery.expected:
                    kind = sent.webhook_seconds if event.is_webhook else sent.event_seconds
                    kind.append(seconds)
                    sent.accepted.add(event.id)
                    return
                sent.unexpected[f"{event.kind}: {answer}"] += 1
        self._refused(sent, event, "given up")

    def _refused(self, sent: Sent, event: Planned, why: str) -> None:
        with self._lock:
            sent.refused += 1
            sent.unexpected[f"{event.kind}: {why}"] += 1


def _post(
    host: http.client.HTTPConnection, path: str, headers: dict[str, str], body: bytes
) -> int | str:
    try:
        host.request("POST", path, body, headers)
        answer = host.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        host.close()
        return type(error).__name__
    return answer.status

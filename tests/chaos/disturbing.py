"""What goes wrong during a round besides the points: drawn from a seed."""

import base64
import random
import threading
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress

import httpx2
from azure.core.exceptions import AzureError
from azure.storage.queue import QueueClient

from tests.chaos import outages
from tests.chaos.catalogue import CALLS, OUTCOMES, POISON
from tests.chaos.events import Sender
from tests.chaos.hosts import Hosts
from tests.chaos.pace import slowness
from tests.chaos.team import Team
from tests.cloud import Cloud
from tests.faults import Faults

CALL_FAULTS_AT_ONCE = 3
SHIFTS = (-45.0, -15.0, 0.0, 20.0, 45.0)
"""GitHub takes no login of a clock that is a minute ahead."""


class Disturber:
    """Disturbs while the block lasts, and lets everything be well from its end on."""

    def __init__(
        self,
        cloud: Cloud,
        hosts: Hosts,
        faults: Faults,
        teams: list[Team],
        seed: int,
        number: int,
        *,
        kinds: Collection[str],
        quick: bool,
    ) -> None:
        self._cloud, self._hosts, self._faults = cloud, hosts, faults
        self._random = random.Random(f"{seed}/{number}")
        self._number = number
        self._quick, self._kinds = quick, kinds
        self.asked: Counter[str] = Counter()
        self.struck: Counter[str] = Counter()
        self.sender = Sender(cloud, teams, self._random)
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._at_random_moments, args=given)
            for given in self._timetable()
        ]

    def __enter__(self) -> "Disturber":
        if "calls" in self._kinds:
            self._ask_for_call_faults()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self.sender.flush()
        self._hosts.all[1].set_clock(0)
        self._hosts.all[1].kill()

    def _timetable(self) -> list[tuple[str, float, int, Callable[[], bool]]]:
        """What comes again and again: its name, the mean pause before it, how often at most."""
        quick = self._quick
        table: list[tuple[str, str, float, int, Callable[[], bool]]] = [
            ("kills", "host killed at a random moment", 12, 10**6, self._kill),
            ("clocks", "host with a clock that jumps", 25, 10**6, self._jump),
            ("messages", "message that is poison", 3, 2 * len(POISON), self._poison),
            ("events", "event doubled, late or of another", 2, 60, self._send_again),
            ("parts", "storage hangs", 6 if quick else 40, 1, self._hang_storage),
            ("parts", "storage refuses", 3 if quick else 25, 1, self._refuse_storage),
            ("parts", "no Event Grid, no GitHub", 8 if quick else 50, 1, self._stop_platform),
        ]
        return [row[1:] for row in table if row[0] in self._kinds]

    def _at_random_moments(
        self, kind: str, pause: float, most: int, strike: Callable[[], bool]
    ) -> None:
        drawn = random.Random(f"{self._random.random()}{kind}")
        for _ in range(most):
            if self._over.wait(drawn.uniform(0.5, 1.5) * pause * slowness()):
                return
            self.asked[kind] += 1
            with suppress(AzureError, httpx2.HTTPError):
                self.struck[kind] += strike()

    def _ask_for_call_faults(self) -> None:
        kinds = list(OUTCOMES.values())
        for place, call in enumerate(CALLS):
            for turn in range(1 if self._quick else CALL_FAULTS_AT_ONCE):
                step = place + CALL_FAULTS_AT_ONCE * self._number + turn
                self._faults.ask("call", target=call, **kinds[step % len(kinds)])

    def _kill(self) -> bool:
        return self._random.choice(self._hosts.all).kill()

    def _jump(self) -> bool:
        host = self._hosts.all[1]
        host.set_clock(self._random.choice(SHIFTS))
        return host.kill()

    def _poison(self) -> bool:
        body = self._random.choice(POISON)
        connection = self._cloud.connection["storage"]["connection_string"]
        name = self._random.choice(("reconcile", "deliver"))
        queue = QueueClient.from_connection_string(connection, name)
        queue.send_message(body if isinstance(body, str) else base64.b64encode(body).decode())
        return True

    def _send_again(self) -> bool:
        return self.sender.send()

    def _hang_storage(self) -> bool:
        outages.hang(self._cloud, "storage", 3 if self._quick else 60)
        return True

    def _refuse_storage(self) -> bool:
        outages.refuse(self._cloud, "storage", 2 if self._quick else 20)
        return True

    def _stop_platform(self) -> bool:
        outages.refuse(self._cloud, "platform", 3 if self._quick else 30)
        return True

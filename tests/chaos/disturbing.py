"""What goes wrong during a round besides the points: drawn from a seed."""

import random
import threading
from collections import Counter

from tests.chaos.evidence import Sent
from tests.chaos.hosts import Hosts
from tests.cloud import Cloud
from tests.faults import Faults


class Disturber:
    """Disturbs while the block lasts, and puts everything right at its end."""

    def __init__(self, cloud: Cloud, hosts: Hosts, faults: Faults, seed: str) -> None:
        self._cloud, self._hosts, self._faults = cloud, hosts, faults
        self._random = random.Random(seed)
        self.asked: Counter[str] = Counter()
        self.struck: Counter[str] = Counter()
        self.sent: list[Sent] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._disturb)

    def __enter__(self) -> "Disturber":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _disturb(self) -> None:
        return

"""Clients of an endpoint, who ask one question after another."""

import threading
import time
from collections import Counter
from typing import Self

from tests.clients import asking
from tests.cloud import Cloud

PAUSE_SECONDS = 0.02


class Load:
    """Requests to an endpoint while the block lasts; `statuses` counts what came."""

    def __init__(self, cloud: Cloud, endpoint: str) -> None:
        self.statuses: Counter[int] = Counter()
        self._client = asking(cloud, endpoint)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask_on)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._client.close()

    def _ask_on(self) -> None:
        question = [[{"role": "user", "content": "What is 2 plus one?"}]]
        parameters = {"max_new_tokens": 1, "do_sample": False}
        body = {"input_data": {"input_string": question, "parameters": parameters}, "params": {}}
        while not self._over.is_set():
            self.statuses[self._client.post("/score", json=body).status_code] += 1
            time.sleep(PAUSE_SECONDS)

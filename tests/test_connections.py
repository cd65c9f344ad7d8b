"""The threads of an instance share the connections to storage."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tuneops.queue import RepositoryRequest
from tuneops.services import Services

THREADS = 24


def test_threads_that_call_at_once_leave_no_connection_to_open_anew(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    together = threading.Barrier(THREADS)

    def call(_: int) -> None:
        for _ in range(2):
            together.wait(60)
            services.store.has("nothing.json")
            together.wait(60)
            services.queue.send(RepositoryRequest())

    with caplog.at_level(logging.WARNING), ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(call, range(THREADS)))
    assert "pool is full" not in caplog.text

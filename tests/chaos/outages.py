"""Parts of the local cloud that do not answer for a while: they hang, or refuse connections."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from localcloud.records import Processes, supervisor_pid
from tests.cloud import Cloud

STARTS_IN = 60.0


def hang(cloud: Cloud, part: str, seconds: float) -> None:
    """Let a part take connections and answer nothing."""
    with _stopped(_tree(cloud, part)):
        time.sleep(seconds)


def refuse(cloud: Cloud, part: str, seconds: float) -> None:
    """End a part; what it has stored stays. It is started again after so many seconds."""
    supervisor = supervisor_pid(cloud.state)
    assert supervisor is not None
    with _stopped([psutil.Process(supervisor)]):
        group = _pid(cloud, part)
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGTERM)
        time.sleep(seconds)


def _pid(cloud: Cloud, part: str) -> int:
    return Processes.load(cloud.state).parts[part].pid


def _tree(cloud: Cloud, part: str) -> list[psutil.Process]:
    """A part's processes, once it runs: after another outage it is started again."""
    deadline = time.monotonic() + STARTS_IN
    while True:
        try:
            process = psutil.Process(_pid(cloud, part))
        except psutil.NoSuchProcess:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return [process, *process.children(recursive=True)]


@contextmanager
def _stopped(processes: list[psutil.Process]) -> Iterator[None]:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()

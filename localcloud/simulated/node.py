"""Many jobs at once on one node."""

import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Lock, Semaphore

from localcloud.compute.control import Control, Json, Superseded
from localcloud.compute.node import Node

LOG = logging.getLogger(__name__)


def run_at_once(node: Node, control: Control, count: int) -> None:
    """Take and run up to `count` jobs at once until a newer node takes this one's place."""
    room, lock = Semaphore(count), Lock()
    running: set[str] = set()

    def run(job: Json) -> None:
        try:
            node.run(job)
        finally:
            with lock:
                running.discard(job["name"])
            room.release()

    with ThreadPoolExecutor(count, "job") as pool:
        while True:
            room.acquire()
            with lock:
                taken = sorted(running)
            try:
                job = control.next_job(taken)
            except Superseded as reason:
                LOG.warning("ending: %s", reason)
                return
            if job is None:
                room.release()
                continue
            with lock:
                running.add(job["name"])
            pool.submit(run, job)

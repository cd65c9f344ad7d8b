"""Keeps the parts running: ``python -m localcloud.supervisor --state DIR --parts NAME,...``."""

import argparse
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from localcloud.connection import Connection, ConnectionUnavailableError
from localcloud.parts import PART_NAMES, Part
from localcloud.process import start_child, stop_group
from localcloud.records import AlreadyRunningError, PartRecord, Processes, supervisor_lock

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0
# A part that lived this long has recovered: its next end is followed by the first pause again.
RECOVERED_SECONDS = 30.0
LOOK_SECONDS = 0.2

log = logging.getLogger("localcloud.supervisor")


class Runner:
    """Runs one part, again and again."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._restarts = 0
        self._pause = FIRST_PAUSE_SECONDS
        self._restart_at: float | None = None
        self._start()

    def _start(self) -> None:
        self._forget_readiness()
        self._child: subprocess.Popen[bytes] = start_child(
            self._part.command,
            log_file=self._part.log_file,
            environment=self._part.environment,
            directory=self._part.connection.state_dir,
            own_group=True,
        )
        self._started = time.time()
        self._restart_at = None
        log.info("%s started: process %d", self._part.name, self._child.pid)

    def _forget_readiness(self) -> None:
        """A part that was killed leaves its file behind."""
        if self._part.ready_file:
            self._part.ready_file.unlink(missing_ok=True)

    def look(self) -> None:
        """Restart the part if it has ended and its pause is over."""
        if self._restart_at is not None:
            if time.time() >= self._restart_at:
                self._restarts += 1
                self._start()
        elif self._child.poll() is not None:
            self._clean_up()

    def _clean_up(self) -> None:
        """End what the part left behind, and decide when it starts again."""
        code = self._child.returncode
        stop_group(self._child)
        self._forget_readiness()
        if time.time() - self._started > RECOVERED_SECONDS:
            self._pause = FIRST_PAUSE_SECONDS
        log.warning(
            "%s ended with code %s; starts again in %.1f s", self._part.name, code, self._pause
        )
        self._restart_at = time.time() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)

    def record(self) -> PartRecord:
        """What ``status`` shows."""
        return PartRecord(pid=self._child.pid, restarts=self._restarts, started=self._started)

    def stop(self) -> None:
        """End the part and everything in its process group."""
        stop_group(self._child)
        self._forget_readiness()
        log.info("%s stopped", self._part.name)


def supervise(connection: Connection, names: Sequence[str], stopping: threading.Event) -> None:
    """Run the parts until ``stopping`` is set, then end them all."""
    state_dir = connection.state_dir
    runners = {name: Runner(Part(name, connection)) for name in names}
    recorded = None
    try:
        while not stopping.is_set():
            processes = Processes(parts={name: run.record() for name, run in runners.items()})
            if processes != recorded:
                processes.save(state_dir)
                recorded = processes
            stopping.wait(LOOK_SECONDS)
            for runner in runners.values():
                runner.look()
    finally:
        with ThreadPoolExecutor(len(runners)) as pool:
            list(pool.map(Runner.stop, runners.values()))
        Processes().save(state_dir)


def main() -> None:
    """Supervise until SIGTERM."""
    parser = argparse.ArgumentParser(description="Keep the parts of the local cloud running.")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--parts", default=",".join(PART_NAMES))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s: %(message)s")
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, lambda *_: stopping.set())
    try:
        with supervisor_lock(arguments.state):
            connection = Connection.load(arguments.state)
            supervise(connection, arguments.parts.split(","), stopping)
    except (AlreadyRunningError, ConnectionUnavailableError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

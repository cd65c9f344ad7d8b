"""Runs an entry script on mini batches of files, in several worker processes.

Used as a script with a file of orders, and with the standard library alone. Each worker process
is a `parallel_worker`. A mini batch has failed when `run()` raises, takes too long, ends its
process, or returns fewer results than it was given files; it is tried again, and when that does
not help it counts. The step fails as soon as more has failed than may.
"""

import json
import math
import queue
import socket
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WORKER = Path(__file__).with_name("parallel_worker.py")
INIT_SECONDS = 600.0
SHUTDOWN_SECONDS = 60.0

Orders = dict[str, Any]


class StepFailedError(Exception):
    """The step has failed; the text says why."""


@dataclass
class Outcome:
    """How a mini batch went: what `run()` returned, and what was wrong with it, if anything."""

    batch: list[str]
    results: list[str] = field(default_factory=list)
    error: str = ""
    is_fatal: bool = False


class Worker:
    """A worker process, ready to take mini batches.

    Raises:
        RuntimeError: `init()` fails.
    """

    def __init__(self, orders: Orders) -> None:
        self._channel, theirs = socket.socketpair()
        command = [sys.executable, "-P", WORKER, str(theirs.fileno()), orders["entry_script"]]
        self._process = subprocess.Popen(
            [*command, *orders["arguments"]], stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
        )
        theirs.close()
        self._answers = self._channel.makefile("r")
        answer = self._answer("init()", INIT_SECONDS)
        if answer["error"]:
            raise RuntimeError(f"init() failed: {answer['error']}")

    @property
    def is_alive(self) -> bool:
        """Whether it can take another mini batch."""
        return self._process.poll() is None

    def run(self, batch: list[str], seconds: float) -> Outcome:
        """Run a mini batch."""
        with suppress(OSError):
            self._channel.sendall(json.dumps(batch).encode() + b"\n")
        return Outcome(batch, **self._answer("run()", seconds))

    def close(self) -> None:
        """Let it call `shutdown()` and end."""
        with suppress(OSError):
            self._channel.shutdown(socket.SHUT_WR)
        self._ended(SHUTDOWN_SECONDS)

    def _answer(self, what: str, seconds: float) -> dict[str, Any]:
        self._channel.settimeout(seconds)
        try:
            line = self._answers.readline()
        except TimeoutError:
            self._ended(0)
            return {"error": f"{what} took longer than {seconds:g} s."}
        except OSError:
            line = ""
        if not line:
            return {"error": f"{what} ended its process with exit code {self._ended(5)}."}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _ended(self, seconds: float) -> int:
        """The process's exit code; it is killed when it has not ended by then."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


class Slot(threading.Thread):
    """Takes mini batches to one worker process after the other until there are none left."""

    def __init__(
        self, orders: Orders, batches: deque[list[str]], outcomes: queue.SimpleQueue[Outcome]
    ) -> None:
        super().__init__(daemon=True)
        self._orders = orders
        self._batches = batches
        self._outcomes = outcomes
        self._worker: Worker | None = None

    def run(self) -> None:
        """Work off the mini batches."""
        while True:
            try:
                batch = self._batches.popleft()
            except IndexError:
                break
            self._outcomes.put(self._try(batch))
        if self._worker and self._worker.is_alive:
            self._worker.close()

    def _try(self, batch: list[str]) -> Outcome:
        outcome = Outcome(batch)
        tries = 1 + self._orders["max_retries"]
        for number in range(1, tries + 1):
            try:
                if self._worker is None or not self._worker.is_alive:
                    self._worker = Worker(self._orders)
                outcome = self._worker.run(batch, self._orders["timeout"])
            except (OSError, ValueError, RuntimeError) as error:
                return Outcome(batch, error=str(error), is_fatal=True)
            if not outcome.error:
                break
            _say(f"Try {number} of {tries} of {_named(batch)} failed: {outcome.error}")
        return outcome


class Tally:
    """Counts what failed.

    Raises:
        StepFailedError: from `add`, when that is more than may.
    """

    def __init__(self, orders: Orders, batches: int) -> None:
        percent = orders["allowed_failed_percent"]
        most = math.floor(batches * percent / 100)
        given = orders["mini_batch_error_threshold"]
        self._most_batches = most if given < 0 else min(given, most)
        self._most_files = orders["error_threshold"]
        self._batches = batches
        self.failed_batches = self.failed_files = 0

    def add(self, outcome: Outcome) -> None:
        """Count a mini batch."""
        if not outcome.error:
            return
        if outcome.is_fatal:
            raise StepFailedError(outcome.error)
        last = f"The last one was {_named(outcome.batch)}: {outcome.error}"
        self.failed_batches += 1
        self.failed_files += max(0, len(outcome.batch) - len(outcome.results))
        if self.failed_batches > self._most_batches:
            raise StepFailedError(
                f"{self.failed_batches} of {self._batches} mini batches failed, and at most "
                f"{self._most_batches} may. {last}"
            )
        if 0 <= self._most_files < self.failed_files:
            raise StepFailedError(
                f"Of the files {self.failed_files} failed, and at most {self._most_files} may. "
                f"{last}"
            )


def run_all(orders: Orders) -> None:
    """Run all mini batches.

    Raises:
        StepFailedError: too much has failed, or there is nothing to do.
    """
    batches = cut(files_of(Path(orders["data"])), orders["size"])
    if not batches:
        raise StepFailedError("The input data has no files.")
    outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    left = deque(batches)
    slots = [Slot(orders, left, outcomes) for _ in range(min(orders["processes"], len(batches)))]
    _say(f"{len(batches)} mini batches, {len(slots)} worker processes.")
    for slot in slots:
        slot.start()
    tally = Tally(orders, len(batches))
    for _ in batches:
        outcome = outcomes.get()
        _append(orders["append_row_to"], outcome.results)
        tally.add(outcome)
    for slot in slots:
        slot.join()
    _say(f"{tally.failed_batches} mini batches and {tally.failed_files} files failed.")


def files_of(data: Path) -> list[str]:
    """The files of the input in the order of their names."""
    found = [data] if data.is_file() else sorted(data.rglob("*"))
    return [str(path) for path in found if path.is_file()]


def cut(files: list[str], size: int) -> list[list[str]]:
    """Mini batches of so many files."""
    return [files[begin : begin + size] for begin in range(0, len(files), size)]


def _append(path: str | None, rows: list[str]) -> None:
    if path is not None:
        with Path(path).open("a") as file:
            file.writelines(f"{row}\n" for row in rows)


def _named(batch: list[str]) -> str:
    more = f" and {len(batch) - 1} more" if len(batch) > 1 else ""
    return f"{Path(batch[0]).name}{more}"


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    """The exit code; the reason of a failure is left in the file that the orders name."""
    orders = json.loads(Path(sys.argv[1]).read_text())
    try:
        run_all(orders)
    except StepFailedError as reason:
        _say(str(reason))
        Path(orders["reason"]).write_text(str(reason))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Runs a shell command, hands on what it prints, and ends it when it is told to."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from localcloud.compute import guard

TICK_SECONDS = 0.2
OUTPUT_SECONDS = 5.0
LAST_LINES = 20
MAX_PENDING = 1024 * 1024


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code and the last lines that it printed."""

    code: int
    last_lines: tuple[str, ...]


def run_shell(
    command: str,
    directory: Path,
    environment: Mapping[str, str],
    write: Callable[[bytes], None],
    check: Callable[[], None],
) -> Ended:
    """Run a command with `bash`, or `sh` where there is none, until it ends.

    Args:
        environment: all that the command finds in its environment.
        write: takes what the command prints on either stream, some whole lines at a time.
        check: called often; what it raises ends the command and is raised here.
    """
    shell = shutil.which("bash") or "sh"
    process = subprocess.Popen(
        [sys.executable, "-I", guard.__file__, shell, "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=directory,
        env=dict(environment),
        start_new_session=True,
    )
    assert process.stdin
    assert process.stdout
    output = _Output(process.stdout, write)
    try:
        while process.poll() is None:
            check()
            output.hand_on()
            time.sleep(TICK_SECONDS)
    finally:
        process.stdin.close()
        process.wait()
        output.finish()
    return Ended(process.returncode, output.last_lines)


class _Output:
    """What a process prints, read as it comes so that the process never waits for the log."""

    def __init__(self, stream: IO[bytes], write: Callable[[bytes], None]) -> None:
        self._stream = stream
        self._write = write
        self._lock = threading.Lock()
        self._pending = b""
        self._last: deque[bytes] = deque(maxlen=LAST_LINES)
        self._reader = threading.Thread(target=self._read, name="job-output", daemon=True)
        self._reader.start()

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The last lines, as text."""
        return tuple(line.decode("utf-8", "replace") for line in self._last)

    def hand_on(self) -> None:
        """Write the lines that are complete, and those that are too long to wait for."""
        with self._lock:
            end = self._pending.rfind(b"\n") + 1
            if not end and len(self._pending) > MAX_PENDING:
                end = len(self._pending)
            self._give(end)

    def finish(self) -> None:
        """Write what is left, unless something that survived the process still holds the pipe."""
        self._reader.join(OUTPUT_SECONDS)
        with self._lock:
            self._give(len(self._pending))

    def _give(self, end: int) -> None:
        lines, self._pending = self._pending[:end], self._pending[end:]
        self._last.extend(lines.splitlines())
        for begin in range(0, len(lines), MAX_PENDING):
            self._write(lines[begin : begin + MAX_PENDING])

    def _read(self) -> None:
        while chunk := os.read(self._stream.fileno(), 65536):
            with self._lock:
                self._pending += chunk
        self._stream.close()

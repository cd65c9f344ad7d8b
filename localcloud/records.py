"""What the supervisor leaves in the state directory for ``up``, ``down`` and ``status``."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import BaseModel, ValidationError

from localcloud.connection import write_private

LOCK_FILE = "supervisor.lock"
PROCESSES_FILE = "processes.json"
COMMAND_LOCK_FILE = "command.lock"
LOCK_SECONDS = 5.0


class AlreadyRunningError(Exception):
    """Another supervisor works on this state directory."""


class PartRecord(BaseModel):
    """A part's process: ``started`` in seconds since 1970; ``restarts`` since the supervisor's."""

    pid: int
    restarts: int
    started: float


class Processes(BaseModel):
    """The parts that a supervisor keeps running."""

    parts: dict[str, PartRecord] = {}

    @classmethod
    def load(cls, state_dir: Path) -> "Processes":
        """The last record; an empty one when there is none."""
        try:
            return cls.model_validate_json((state_dir / PROCESSES_FILE).read_bytes())
        except (FileNotFoundError, ValidationError):
            return cls()

    def save(self, state_dir: Path) -> None:
        """Replace the record."""
        write_private(state_dir / PROCESSES_FILE, self.model_dump_json(indent=2) + "\n")


@contextmanager
def supervisor_lock(state_dir: Path) -> Iterator[None]:
    """Be the state directory's only supervisor; the lock goes with the process, however it ends.

    Raises:
        AlreadyRunningError: there is one.
    """
    with (state_dir / LOCK_FILE).open("a+") as file:
        # ``supervisor_pid`` holds the lock for an instant whenever it looks.
        deadline = time.monotonic() + LOCK_SECONDS
        while not _try_lock(file.fileno()):
            if time.monotonic() > deadline:
                raise AlreadyRunningError(f"a supervisor works on {state_dir} already")
            time.sleep(0.05)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def supervisor_pid(state_dir: Path) -> int | None:
    """The process id of the running supervisor; None when none runs, whatever files say."""
    with suppress(FileNotFoundError), (state_dir / LOCK_FILE).open("r+") as file:
        if not _try_lock(file.fileno()):
            return int(file.read() or 0) or None
    return None


@contextmanager
def command_lock(state_dir: Path) -> Iterator[None]:
    """Let one ``up`` or ``down`` work at a time; the others wait."""
    with (state_dir / COMMAND_LOCK_FILE).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

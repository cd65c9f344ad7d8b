"""Processes of a local cloud that outlived their supervisor."""

import os
import time
from contextlib import suppress
from pathlib import Path

import psutil

from localcloud.parts import MARK

LOOK_SECONDS = 0.1
KILL_SECONDS = 2.0


def leftovers(state_dir: Path) -> list[psutil.Process]:
    """The processes that a local cloud with this state directory started, whatever became of it.

    Every one inherits a mark in its environment. The caller and its ancestors are left out.
    """
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [
        process
        for process in psutil.process_iter()
        if process.pid not in own and _mark(process) == str(state_dir)
    ]


def _mark(process: psutil.Process) -> str | None:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None


def end_leftovers(state_dir: Path, grace_seconds: float) -> list[psutil.Process]:
    """Wait for leftovers to end, kill what has not after the grace; gives what is there still."""
    deadline = time.monotonic() + grace_seconds
    while (remaining := leftovers(state_dir)) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    for process in remaining:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(remaining, timeout=KILL_SECONDS)
    return leftovers(state_dir)

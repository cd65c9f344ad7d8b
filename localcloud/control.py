"""``up``, ``down`` and ``status``."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from localcloud.connection import Connection
from localcloud.leftovers import end_leftovers
from localcloud.parts import PART_NAMES, Part, base_environment, log_file
from localcloud.process import inherited_environment
from localcloud.provision import provision
from localcloud.records import PartRecord, Processes, command_lock, supervisor_pid
from localcloud.storage.install import azurite_is_installed, ensure_azurite

STOP_SECONDS = 20.0
LEFTOVER_SECONDS = 6.0
LOOK_SECONDS = 0.2
MOST_RESTARTS = 3
TAIL_LINES = 25


class StartError(Exception):
    """The local cloud is not up; the message says why."""


class StopError(Exception):
    """Something of the local cloud still runs."""


@dataclass(frozen=True)
class Folders:
    """Where a local cloud keeps its state and its downloads, and what it runs."""

    state: Path
    cache: Path
    app: Path
    manifest: Path


@dataclass(frozen=True)
class PartStatus:
    """A part as ``status`` shows it."""

    name: str
    healthy: bool
    record: PartRecord


def up(folders: Folders, parts: Sequence[str], seconds: float) -> Connection:
    """Start the local cloud, or find it running, and wait until its parts are healthy.

    Args:
        parts: names of the parts to start, or to find running.
        seconds: how long the parts may take.

    Raises:
        StartError: a part is not healthy in time or ends again and again (everything is ended
            then), or the running local cloud was started without it.
        ManifestError: the manifest cannot be used.
        InstallError: Azurite could not be installed.
    """
    folders.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with command_lock(folders.state):
        if pid := supervisor_pid(folders.state):
            print(f"The local cloud in {folders.state} is running already (supervisor {pid}).")
            _check_that_it_has(folders.state, parts)
            connection = Connection.load(folders.state)
        else:
            connection = _start(folders, parts)
        try:
            _wait_until_healthy(connection, parts, seconds)
        except (StartError, KeyboardInterrupt):
            _stop(folders.state)
            raise
    return connection


def _check_that_it_has(state_dir: Path, parts: Sequence[str]) -> None:
    running = Processes.load(state_dir).parts
    if missing := [name for name in parts if name not in running]:
        raise StartError(
            f"it was started without {', '.join(missing)}; end it first: python -m localcloud down"
        )


def _start(folders: Folders, parts: Sequence[str]) -> Connection:
    """Start a supervisor of its own session, which outlives this process."""
    end_leftovers(folders.state, LEFTOVER_SECONDS)
    if "storage" in parts and not azurite_is_installed(folders.cache):
        print("Installing Azurite, once ...", flush=True)
        ensure_azurite(folders.cache)
    connection = provision(folders.state, folders.app, folders.cache, folders.manifest)
    Processes().save(folders.state)
    for name in ("logs", "tmp"):
        (folders.state / name).mkdir(exist_ok=True)
    command = [sys.executable, "-P", "-m", "localcloud.supervisor"]
    with log_file(folders.state, "supervisor").open("ab") as log:
        subprocess.Popen(
            [*command, "--state", str(folders.state), "--parts", ",".join(parts)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**inherited_environment(), **base_environment(folders.state)},
            start_new_session=True,
        )
    return connection


def _wait_until_healthy(connection: Connection, parts: Sequence[str], seconds: float) -> None:
    began = time.monotonic()
    waiting = [Part(name, connection) for name in parts]
    while waiting:
        records = Processes.load(connection.state_dir).parts
        for part in list(waiting):
            if part.name in records and part.is_healthy():
                print(f"  {part.name:<10} ready after {time.monotonic() - began:.1f} s", flush=True)
                waiting.remove(part)
            elif part.name in records and records[part.name].restarts >= MOST_RESTARTS:
                raise _start_error(part, "ends again and again")
        if waiting and time.monotonic() - began > seconds:
            raise _start_error(waiting[0], f"is not ready after {seconds:.0f} s")
        time.sleep(LOOK_SECONDS)


def _start_error(part: Part, what: str) -> StartError:
    path = (
        part.log_file
        if part.log_file.exists()
        else log_file(part.connection.state_dir, "supervisor")
    )
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    tail = "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])
    return StartError(f"{part.name} {what}; the end of {path}:\n{tail}")


def down(state_dir: Path) -> bool:
    """End everything that runs for this state directory; False when nothing did.

    Raises:
        StopError: something still runs.
    """
    if not state_dir.is_dir():
        return False
    with command_lock(state_dir):
        return _stop(state_dir)


def _stop(state_dir: Path) -> bool:
    pid = supervisor_pid(state_dir)
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while supervisor_pid(state_dir) and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
    remaining = end_leftovers(state_dir, LEFTOVER_SECONDS)
    if remaining:
        raise StopError(f"still running: {', '.join(str(process.pid) for process in remaining)}")
    return pid is not None


def status(state_dir: Path) -> list[PartStatus]:
    """The parts of the running local cloud; none when it does not run.

    Raises:
        ConnectionUnavailableError: it runs, and its connection.json cannot be read.
    """
    if supervisor_pid(state_dir) is None:
        return []
    connection = Connection.load(state_dir)
    records = Processes.load(state_dir).parts
    return [
        PartStatus(name, Part(name, connection).is_healthy(), records[name])
        for name in PART_NAMES
        if name in records
    ]

"""Child processes that end with their parent, and ports for them."""

import os
import random
import signal
import socket
import subprocess
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

LOOPBACK = "127.0.0.1"
LEAST_URGENT = 19

# Below the ports that Linux (32768 up) and macOS (49152 up) hand to outgoing connections, so that
# a part which restarts finds its port free.
PORT_RANGE = range(20000, 32000)
# An environment variable with other ports to choose from, as "20000-23999": processes that start
# local clouds side by side choose from ranges that do not overlap.
PORTS = "LOCALCLOUD_PORTS"

# Settings of the SDKs that a person, or a test beside us, may have pointed at another cloud.
OF_ANOTHER_CLOUD = (
    "ARM_CLOUD_METADATA_URL",
    "AZUREML_",
    "AZURE_TOKEN_CREDENTIALS",
    "IDENTITY_",
    "MLFLOW_TRACKING_",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
)


class PortsError(Exception):
    """There is no port to choose; the message says why."""


def exit_with_parent() -> None:
    """End this process as soon as its parent is gone, however the parent ended.

    The parent holds the other end of this process's standard input (see ``start_child``); the
    operating system closes it with the parent, also after ``kill -9``.
    """
    threading.Thread(target=_exit_at_end_of_input, name="exit-with-parent", daemon=True).start()


def _exit_at_end_of_input() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


def give_way() -> None:
    """Let this process, which leads a session, have the time that all others leave.

    Linux weighs sessions against each other, and what is nice only within its own: see "The
    autogroup feature" in https://man7.org/linux/man-pages/man7/sched.7.html.
    """
    os.nice(LEAST_URGENT)
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(LEAST_URGENT))


def inherited_environment() -> dict[str, str]:
    """This process's environment, without what would lead a child to another cloud."""
    return {k: v for k, v in os.environ.items() if not k.startswith(OF_ANOTHER_CLOUD)}


def start_child(
    arguments: Sequence[str | Path],
    *,
    log_file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    own_group: bool = False,
    inherit: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a process whose standard input stays open as long as this process lives.

    Args:
        log_file: output is appended to it; without one the child writes where this process does.
        environment: added to `inherited_environment`.
        own_group: give the child a session and process group of its own (see ``stop_group``).
        inherit: file descriptors that the child keeps open, besides the standard ones.
    """
    output = log_file.open("ab") if log_file else None
    try:
        return subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            env={**inherited_environment(), **(environment or {})},
            cwd=directory,
            start_new_session=own_group,
            pass_fds=inherit,
        )
    finally:
        if output:
            output.close()


def stop_group(child: subprocess.Popen[bytes], seconds: float = 10.0) -> None:
    """End a child that was started with ``own_group``, and everything in its group.

    SIGTERM first; SIGKILL to what is left when the child has ended or ``seconds`` are over.
    """
    _signal_group(child.pid, signal.SIGTERM)
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _signal_group(child.pid, signal.SIGKILL)
        child.wait()
        if child.stdin:
            child.stdin.close()


def _signal_group(group: int, number: signal.Signals) -> None:
    # macOS answers EPERM for a group in which only zombies are left.
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def port_range() -> range:
    """The ports to choose from: those of the environment variable LOCALCLOUD_PORTS, or ours.

    Raises:
        PortsError: the variable is not of the form "20000-23999".
    """
    said = os.environ.get(PORTS)
    if not said:
        return PORT_RANGE
    first, _, last = said.partition("-")
    if not (first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last) < 65536):
        raise PortsError(f"{PORTS} is {said!r}, not of the form '20000-23999'")
    return range(int(first), int(last) + 1)


def free_ports(names: Iterable[str], preferred: Mapping[str, int] | None = None) -> dict[str, int]:
    """A free port on 127.0.0.1 for each name: its preferred one where that is still free.

    Raises:
        PortsError: as `port_range`; or not so many of its ports are free.
    """
    preferred = preferred or {}
    chosen: dict[str, int] = {}
    ports = port_range()
    candidates = iter(random.sample(ports, len(ports)))
    for name in names:
        options = [preferred[name]] if name in preferred else []
        free = (port for port in chain(options, candidates) if _usable(port, chosen))
        port = next(free, None)
        if port is None:
            raise PortsError(f"no port of {ports.start} to {ports.stop - 1} is free for {name}")
        chosen[name] = port
    return chosen


def _usable(port: int, chosen: Mapping[str, int]) -> bool:
    return port not in chosen.values() and port_is_free(port)


def port_is_free(port: int) -> bool:
    """Whether nothing listens on the port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def port_answers(port: int) -> bool:
    """Whether something on 127.0.0.1 takes connections at the port."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True

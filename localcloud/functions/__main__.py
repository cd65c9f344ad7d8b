"""``python -m localcloud.functions --state DIR``: the Functions host of one local cloud."""

import asyncio
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from subprocess import Popen

import uvicorn

from localcloud.connection import Connection
from localcloud.functions.app import TRIGGERS, AppError, load_app
from localcloud.functions.host_config import HostConfigError, load_host_config
from localcloud.functions.keys import Keys
from localcloud.functions.site import Host
from localcloud.manifest import Manifest, ManifestError
from localcloud.part import begin_part
from localcloud.process import LOOPBACK, give_way, start_child, stop_group

SHUTDOWN_SECONDS = 3
BACKGROUND = ("queueTrigger", "timerTrigger")
AT_ONCE = 0.001
"""So many seconds a thread may work while others wait to: all are to answer soon."""
ROLE, BEHIND = "LOCALCLOUD_FUNCTIONS", "background"
"""The environment variable that tells a second process of the host what it is for."""

log = logging.getLogger("localcloud.functions")


def main() -> None:
    """Load the app and serve it until SIGTERM; queues and timers perhaps in a second process."""
    connection = begin_part("Azure Functions host")
    is_behind = os.environ.pop(ROLE, "") == BEHIND
    try:
        manifest = Manifest.load(connection.manifest_file)
        os.environ.update(manifest.app_environment(connection))
        os.chdir(connection.app_dir)
        apart = manifest.functions_apart
        front = tuple(kind for kind in TRIGGERS if not (apart and kind in BACKGROUND))
        host = Host(
            load_app(connection.app_dir, os.environ),
            load_host_config(connection.app_dir, os.environ),
            Keys(connection.functions.key, connection.functions.eventgrid_key),
            os.environ,
            connection.state_dir / "functions" / "timers.json",
            BACKGROUND if is_behind else front,
        )
    except (AppError, HostConfigError, ManifestError) as error:
        sys.exit(f"error: {error}")
    if is_behind:
        # On Azure it has another machine.
        give_way()
        asyncio.run(_work(host))
        return
    sys.setswitchinterval(AT_ONCE)
    child = _start_behind(connection) if apart else None
    uvicorn.run(
        host.site(),
        host=LOOPBACK,
        port=connection.ports.functions,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    if child:
        stop_group(child, SHUTDOWN_SECONDS)


async def _work(host: Host) -> None:
    """Let listeners and timers work until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with host.working():
        await ended.wait()


def _start_behind(connection: Connection) -> "Popen[bytes]":
    """The process for queues and timers; this one ends with it, to be started anew."""
    # What this process was started with; the settings of the app that it has taken are the same.
    line: list[str | Path] = [
        sys.executable,
        "-P",
        "-m",
        "localcloud.functions",
        "--state",
        connection.state_dir,
    ]
    child = start_child(line, environment={**os.environ, ROLE: BEHIND}, own_group=True)
    # uvicorn raises the signal that has ended it once more: this process is still to end the other.
    signal.signal(signal.SIGTERM, lambda *_: None)

    def end_with_it() -> None:
        child.wait()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end_with_it, name="end-with-background", daemon=True).start()
    return child


if __name__ == "__main__":
    main()

"""``python -m localcloud.storage --state DIR``: Azurite and the blob watcher."""

import logging
import signal
import sys
import threading
import time

from azure.core.exceptions import AzureError

from localcloud.connection import Connection
from localcloud.manifest import Manifest, ManifestError
from localcloud.part import begin_part
from localcloud.storage.azurite import Azurite, AzuriteError, create_containers_and_queues
from localcloud.storage.install import InstallError
from localcloud.storage.snapshot import Snapshot
from localcloud.storage.watcher import Watcher

READY_FILE = "storage.ready"
LOOK_SECONDS = 0.5

log = logging.getLogger("localcloud.storage")


def main() -> None:
    """Serve until SIGTERM; ends with code 1 when Azurite ends."""
    connection = begin_part("The storage account: Azurite and the blob watcher.")
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    ready = connection.state_dir / READY_FILE
    ready.unlink(missing_ok=True)
    azurite = None
    try:
        manifest = Manifest.load(connection.manifest_file)
        azurite = Azurite(connection, in_memory=manifest.storage.in_memory)
        azurite.start()
        create_containers_and_queues(
            connection, manifest.storage.containers, manifest.storage.queues
        )
        ready.write_text("")
        _watch(connection, manifest, azurite, stopping)
    except (AzureError, AzuriteError, InstallError, ManifestError) as error:
        sys.exit(f"error: {error}")
    finally:
        ready.unlink(missing_ok=True)
        if azurite:
            azurite.stop()


def _watch(
    connection: Connection, manifest: Manifest, azurite: Azurite, stopping: threading.Event
) -> None:
    snapshot = Snapshot(connection.state_dir / "storage-watcher.db")
    watcher = Watcher(connection, manifest.event_subscriptions, snapshot)
    try:
        while not stopping.is_set():
            began = time.monotonic()
            watcher.look()
            if not azurite.is_running():
                raise AzuriteError("Azurite ended")
            # Leave Azurite at least two thirds of its time when there is much to list.
            stopping.wait(max(LOOK_SECONDS, 2 * (time.monotonic() - began)))
    finally:
        watcher.close()


if __name__ == "__main__":
    main()

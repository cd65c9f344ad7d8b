"""``python -m localcloud.functions --state DIR``: the Functions host of one local cloud."""

import logging
import os
import sys

import uvicorn

from localcloud.functions.app import AppError, load_app
from localcloud.functions.host_config import HostConfigError, load_host_config
from localcloud.functions.keys import Keys
from localcloud.functions.site import Host
from localcloud.manifest import Manifest, ManifestError
from localcloud.part import begin_part
from localcloud.process import LOOPBACK

SHUTDOWN_SECONDS = 3

log = logging.getLogger("localcloud.functions")


def main() -> None:
    """Load the app and serve it until SIGTERM."""
    connection = begin_part("Azure Functions host")
    try:
        manifest = Manifest.load(connection.manifest_file)
        os.environ.update(manifest.app_environment(connection))
        os.chdir(connection.app_dir)
        host = Host(
            load_app(connection.app_dir, os.environ),
            load_host_config(connection.app_dir),
            Keys(connection.functions.key, connection.functions.eventgrid_key),
            os.environ,
            connection.state_dir / "functions" / "timers.json",
        )
    except (AppError, HostConfigError, ManifestError) as error:
        sys.exit(f"error: {error}")
    uvicorn.run(
        host.site(),
        host=LOOPBACK,
        port=connection.ports.functions,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


if __name__ == "__main__":
    main()

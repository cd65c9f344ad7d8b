"""`python -m localcloud.azureml --state DIR`: serve the workspace over TLS."""

import uvicorn

from localcloud.azureml.app import AzureMl
from localcloud.manifest import Manifest
from localcloud.part import begin_part
from localcloud.process import LOOPBACK, give_way

SHUTDOWN_SECONDS = 1
KEEP_ALIVE_SECONDS = 75
"""Longer than clients keep an idle connection: none is closed in the moment they use it again."""


def main() -> None:
    """Serve until the process is told to end."""
    connection = begin_part("An Azure Machine Learning workspace and registry.")
    manifest = Manifest.load(connection.manifest_file)
    if manifest.functions_apart:
        give_way()
    azureml = AzureMl(connection, manifest)
    uvicorn.run(
        azureml.application(),
        host=LOOPBACK,
        port=connection.ports.azureml,
        ssl_certfile=str(connection.server_cert),
        access_log=False,
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


if __name__ == "__main__":
    main()

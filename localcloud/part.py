"""What every part's ``main`` begins with."""

import argparse
import logging
import sys
from pathlib import Path

from localcloud.connection import Connection, ConnectionUnavailableError
from localcloud.process import exit_with_parent


def begin_part(description: str) -> Connection:
    """Read ``--state`` from the command line, end with the parent, log to standard error.

    With ``--foreground``, for a developer at a terminal, the process does not watch its standard
    input. Ends the process with exit code 1 when there is no connection.json.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--state", type=Path, required=True, help="state directory")
    parser.add_argument("--foreground", action="store_true", help="do not end with the parent")
    arguments = parser.parse_args()
    if not arguments.foreground:
        exit_with_parent()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # They log every request at INFO, with the keys in its URL.
    for talkative in ("azure", "httpx", "httpx2"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    try:
        return Connection.load(arguments.state)
    except ConnectionUnavailableError as error:
        sys.exit(f"error: {error}")

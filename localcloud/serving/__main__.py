"""`python -m localcloud.serving MODEL PORT`: a scoring process with a Python of its own."""

import logging
import sys
from pathlib import Path

from localcloud.process import exit_with_parent
from localcloud.serving.serve import serve


def main() -> None:
    """Serve the model until the parent process ends."""
    exit_with_parent()
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, format=form)
    model, port = sys.argv[1:]
    serve(Path(model), int(port))


if __name__ == "__main__":
    main()

"""`python -m localcloud.serving --model DIR --port P`: the scoring server of one deployment."""

import argparse
import gc
import logging
import time
from pathlib import Path

from localcloud.process import LOOPBACK, exit_with_parent

LOG = logging.getLogger(__name__)


def main() -> None:
    """Load the model, then serve it until the parent process ends."""
    parser = argparse.ArgumentParser(description="Serve an MLflow chat model.")
    parser.add_argument("--model", type=Path, required=True, help="MLflow model folder")
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--foreground", action="store_true", help="do not end with the parent")
    arguments = parser.parse_args()
    if not arguments.foreground:
        exit_with_parent()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    started = time.monotonic()
    # Nearly all that loading allocates stays: looking through it for garbage is wasted time.
    gc.disable()
    import uvicorn

    from localcloud.serving.model import LoadedModel
    from localcloud.serving.scoring import create_app

    model = LoadedModel(arguments.model)
    gc.freeze()
    gc.enable()
    LOG.info("loaded %s in %.1f s", arguments.model.name, time.monotonic() - started)
    uvicorn.run(create_app(model), host=LOOPBACK, port=arguments.port, access_log=False)


if __name__ == "__main__":
    main()

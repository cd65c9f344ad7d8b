"""Serving one model until the process ends."""

import gc
import logging
import time
from pathlib import Path

from localcloud.process import LOOPBACK

LOG = logging.getLogger(__name__)


def serve(model: Path, port: int) -> None:
    """Load the MLflow model and answer on 127.0.0.1."""
    started = time.monotonic()
    # Nearly all that loading allocates stays: looking through it for garbage is wasted time.
    gc.disable()
    import uvicorn

    from localcloud.serving.model import LoadedModel
    from localcloud.serving.scoring import create_app, in_turn

    loaded = LoadedModel(model)
    gc.freeze()
    gc.enable()
    LOG.info("loaded %s in %.1f s", model.name, time.monotonic() - started)
    uvicorn.run(create_app(in_turn(loaded)), host=LOOPBACK, port=port, access_log=False)

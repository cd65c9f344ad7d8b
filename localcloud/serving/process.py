"""The scoring process of one deployment, split off from one that has all libraries loaded.

Loading them takes some five seconds of processor time, most of what a deployment takes here. On
Linux they are loaded once, in a process that does nothing but split off others. macOS does not
allow its frameworks to be used after that, so processes are started anew there.
"""

import logging
import multiprocessing
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from localcloud.process import OF_ANOTHER_CLOUD, exit_with_parent

_context: ForkServerContext | SpawnContext = (
    multiprocessing.get_context("forkserver")
    if sys.platform == "linux"
    else multiprocessing.get_context("spawn")
)
_context.set_forkserver_preload(["localcloud.serving.loaded"])


def scoring_process(
    model: Path, port: int, environment: Mapping[str, str], log_file: Path
) -> BaseProcess:
    """The process, not yet started; it ends with this one, however this one ends.

    Starting it blocks until the libraries are loaded, the first time. Output is appended to
    `log_file`; `environment` is added to this process's own. What ends the process with this one is
    its standard input, as with `localcloud.process.start_child`.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    return _context.Process(
        target=_score, args=(model, port, dict(environment), log_file), daemon=True
    )


def _score(model: Path, port: int, environment: dict[str, str], log_file: Path) -> None:
    """Load the model and serve it; with variables of its own in a Python that begins with them."""
    output = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    parent = multiprocessing.parent_process()
    if parent:
        os.dup2(parent.sentinel, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for name in [name for name in os.environ if name.startswith(OF_ANOTHER_CLOUD)]:
        del os.environ[name]
    if environment:
        line = [sys.executable, "-m", "localcloud.serving", str(model), str(port)]
        os.execve(sys.executable, line, {**os.environ, **environment})
    exit_with_parent()
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, stream=sys.stderr)
    import_module("localcloud.serving.serve").serve(model, port)

"""Keeps what the libraries write inside one folder."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def confined_to(folder: Path) -> Iterator[Path]:
    """Temporary files, caches and MLflow's own state go to `folder`, which is removed at the end.

    It changes the environment of the process meanwhile, so one run at a time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    settings = {
        "TMPDIR": str(temporary),
        "HF_HOME": str(folder / "huggingface"),
        "MLFLOW_TRACKING_URI": (folder / "mlruns").as_uri(),
        "MLFLOW_REGISTRY_URI": (folder / "mlruns").as_uri(),
    }
    before = {name: os.environ.get(name) for name in settings}
    directory = tempfile.tempdir
    os.environ.update(settings)
    tempfile.tempdir = str(temporary)
    try:
        yield folder
    finally:
        tempfile.tempdir = directory
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        shutil.rmtree(folder, ignore_errors=True)

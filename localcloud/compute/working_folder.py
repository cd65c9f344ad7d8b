"""The folder that a node runs a job in."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcloud.compute.control import Json


@contextmanager
def working_folder(job: Json, node: str) -> Iterator[Path]:
    """Where this node runs the job, not made yet and gone afterwards; so is what others left."""
    folder = Path(job["work_dir"])
    for left_behind in folder.glob(f"{job['name']}.*"):
        shutil.rmtree(left_behind, ignore_errors=True)
    work = folder / f"{job['name']}.{node}"
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)

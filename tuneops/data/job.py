"""``python -m tuneops.data.job DATA OUT``: preparation on a compute of Azure ML.

DATA is a file or a folder, OUT the folder for what is made; what to make of it stands in the
environment variable `TASK`.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

from tuneops.config import ProjectConfig
from tuneops.data import local
from tuneops.data.errors import DataError
from tuneops.data.outputs import Folder
from tuneops.data.preparation import Input
from tuneops.data.prepare import DESCRIPTIONS, PREPARED, make
from tuneops.data.split import PARTS
from tuneops.document import Document

TASK = "TUNEOPS_PREPARATION"


class Task(Document):
    """What a job prepares: `files` of a folder by their names, none if the source is a file."""

    config: ProjectConfig
    source: str
    files: tuple[str, ...] = ()
    folder: str


def run(task: Task, data: Path, out: Path) -> None:
    """Prepare `data` in `out`; the description comes last, so what has one is complete.

    Raises:
        DataError: the data is too broken or has too few rows.
    """
    with Folder(out) as sink:
        made = make(
            _inputs(task, data),
            task.config,
            sink,
            task.source,
            task.folder,
            processes=os.cpu_count() or 1,
        )
        sink.commit(DESCRIPTIONS | {f"{part}.jsonl" for part in PARTS})
        sink.write(PREPARED, made.model_dump_json().encode())
        sink.commit({PREPARED})


def _inputs(task: Task, data: Path) -> list[Input]:
    """The inputs under the names that they have in the datasets container."""
    if not task.files:
        return [replace(each, name=task.source) for each in local.inputs(data)]
    return [
        replace(each, name=f"{task.source}{name}")
        for name in task.files
        for each in local.inputs(data / name)
    ]


def main() -> None:
    """Run as a job."""
    data, out = sys.argv[1:]
    try:
        run(Task.model_validate_json(os.environ[TASK]), Path(data), Path(out))
    except DataError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

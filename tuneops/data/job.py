"""``python -m tuneops.data.job OUT [DATA...]``: preparation on a compute of Azure ML.

OUT is the folder for what is made, DATA the uploaded file or folder, or what `tuneops.data.share`
found in each share of a folder's files. What to make stands in the environment variable `TASK`.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tuneops.config import ProjectConfig
from tuneops.data import hub, local
from tuneops.data.checked import CheckedInput
from tuneops.data.errors import DataError
from tuneops.data.outputs import Folder
from tuneops.data.preparation import RowSource
from tuneops.data.prepare import DESCRIPTIONS, PREPARED, make
from tuneops.data.settings import HubData
from tuneops.data.split import PARTS
from tuneops.document import Document

TASK = "TUNEOPS_PREPARATION"


class Task(Document):
    """What a job prepares: `files` of a folder by their names, none if the source is a file.

    `shares` is how many nodes check the files first, `revision` the commit of a hub dataset.
    """

    config: ProjectConfig
    source: str
    files: tuple[str, ...] = ()
    shares: int = 1
    folder: str
    revision: str = ""


def run(task: Task, out: Path, *data: Path) -> None:
    """Prepare `data`, or what is on the hub, in `out`.

    The description comes last, so what has one is complete.

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
            task.revision,
            processes=os.cpu_count() or 1,
        )
        sink.commit(DESCRIPTIONS | {f"{part}.jsonl" for part in PARTS})
        sink.write(PREPARED, made.model_dump_json().encode())
        sink.commit({PREPARED})


def _inputs(task: Task, data: Sequence[Path]) -> list[RowSource]:
    """The inputs under the names that they have in the datasets container, or on the hub."""
    if isinstance(task.config.data, HubData):
        return list(hub.inputs(task.config.data, task.revision, local.UNLIMITED))
    if task.shares > 1:
        return [
            CheckedInput(f"{task.source}{name}", data[number % task.shares])
            for number, name in enumerate(task.files)
        ]
    (root,) = data
    return [
        replace(each, name=f"{task.source}{name}")
        for name in task.files or ("",)
        for each in local.inputs(root / name)
    ]


def main() -> None:
    """Run as a job."""
    try:
        run(Task.model_validate_json(os.environ[TASK]), *map(Path, sys.argv[1:]))
    except DataError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

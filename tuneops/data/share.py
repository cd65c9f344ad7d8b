"""``python -m tuneops.data.share NUMBER OUT DATA``: checks one of the shares of a folder's files.

What is found in its files goes to the folder OUT, for `tuneops.data.job`; NUMBER counts from 0.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

from tuneops.data import checked, local
from tuneops.data.job import TASK, Task
from tuneops.data.preparation import rules_of
from tuneops.data.prepare import wanted


def check(task: Task, number: int, out: Path, data: Path) -> None:
    """Check this share of the task's files, one after another on all processor cores."""
    rules = rules_of(wanted(task.config))
    for name in task.files[number :: task.shares]:
        for each in local.inputs(data / name):
            named = replace(each, name=f"{task.source}{name}")
            checked.keep(named, rules, out, processes=os.cpu_count() or 1)


def main() -> None:
    """Run as a job."""
    number, out, data = sys.argv[1:]
    check(Task.model_validate_json(os.environ[TASK]), int(number), Path(out), Path(data))


if __name__ == "__main__":
    main()

"""The driver of a parallel step and its worker processes."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from localcloud.compute import parallel_driver
from localcloud.compute.parallel_driver import Outcome, StepFailedError, Tally, cut

SCRIPT = """
    import os, pathlib, sys, helper

    def init():
        print("arguments", sys.argv[1:])
        print("started", os.getpid())

    def run(mini_batch):
        return [helper.check(pathlib.Path(name)) for name in mini_batch]

    def shutdown():
        print("shut down")
"""
HELPER = """
    import os, sys

    def check(path):
        text = path.read_text()
        tries = path.parent.parent / f"{path.name}.tries"
        if text == "once" and not tries.exists():
            tries.touch()
            raise ValueError("only once")
        if text == "crash":
            os._exit(7)
        if text == "exit":
            sys.exit("told to end")
        return f"{path.name}={text}"
"""


class Step:
    """A parallel step to be run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("code", "data"):
            (folder / name).mkdir()
        self.write("code/entry.py", SCRIPT)
        self.write("code/helper.py", HELPER)

    def write(self, name: str, text: str) -> None:
        """A file of the step."""
        (self.folder / name).write_text(textwrap.dedent(text))

    def run(self, **changes: Any) -> tuple[int, str]:
        """Run it; gives the exit code and what it printed."""
        orders = {
            "entry_script": str(self.folder / "code" / "entry.py"),
            "arguments": ["--out", "a b"],
            "data": str(self.folder / "data"),
            "append_row_to": str(self.folder / "rows.txt"),
            "processes": 2,
            "size": 1,
            "max_retries": 1,
            "timeout": 20,
            "error_threshold": -1,
            "mini_batch_error_threshold": -1,
            "allowed_failed_percent": 100,
            "reason": str(self.folder / "reason.txt"),
        }
        self.write("orders.json", json.dumps(orders | changes))
        line = [sys.executable, "-P", parallel_driver.__file__, self.folder / "orders.json"]
        done = subprocess.run(
            line, cwd=self.folder / "code", capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, done.stdout + done.stderr

    @property
    def reason(self) -> str:
        """Why it failed."""
        return (self.folder / "reason.txt").read_text()


@pytest.fixture
def step(tmp_path: Path) -> Step:
    return Step(tmp_path)


def test_every_file_is_given_once(step: Step) -> None:
    for number in range(5):
        step.write(f"data/{number}", "x")
    code, printed = step.run(size=2)
    assert code == 0, printed
    rows = sorted((step.folder / "rows.txt").read_text().splitlines())
    assert rows == [f"{number}=x" for number in range(5)]
    assert "3 mini batches, 2 worker processes" in printed
    assert "arguments ['--out', 'a b']" in printed
    assert printed.count("started") == printed.count("shut down") <= 2


def test_failed_mini_batch_is_tried_again(step: Step) -> None:
    step.write("data/a", "once")
    code, printed = step.run(mini_batch_error_threshold=0)
    assert code == 0, printed
    assert "Try 1 of 2 of a failed: ValueError: only once" in printed


def test_worker_that_ends_is_replaced(step: Step) -> None:
    step.write("data/a", "crash")
    step.write("data/b", "x")
    code, printed = step.run(processes=1, mini_batch_error_threshold=1)
    assert code == 0, printed
    assert "run() ended its process with exit code 7" in printed
    assert printed.count("started") == 3
    assert (step.folder / "rows.txt").read_text() == "b=x\n"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mini_batch_error_threshold": 0}, "1 of 2 mini batches failed, and at most 0 may."),
        ({"allowed_failed_percent": 49}, "1 of 2 mini batches failed, and at most 0 may."),
        ({"error_threshold": 0}, "Of the files 1 failed, and at most 0 may."),
    ],
)
def test_more_failures_than_may_be(step: Step, changes: dict[str, int], reason: str) -> None:
    step.write("data/a", "exit")
    step.write("data/b", "x")
    code, printed = step.run(max_retries=0, **changes)
    assert code == 1, printed
    assert step.reason == f"{reason} The last one was a: SystemExit: told to end"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("def init(): raise OSError('no model')", "init() failed: OSError: no model"),
        ("import absent", "init() failed: ModuleNotFoundError: No module named 'absent'"),
        ("def run(batch): return []", "init() failed: AttributeError"),
        ("import os\ndef init(): os._exit(3)", "init() ended its process with exit code 3."),
    ],
)
def test_script_that_does_not_begin(step: Step, script: str, reason: str) -> None:
    step.write("data/a", "x")
    step.write("code/entry.py", script)
    assert step.run()[0] == 1
    assert reason in step.reason


def test_results_must_be_a_list(step: Step) -> None:
    step.write("data/a", "x")
    step.write("code/entry.py", "def init(): pass\ndef run(batch): return 'abc'")
    assert step.run(max_retries=0, mini_batch_error_threshold=0)[0] == 1
    assert "run() must return a list or a tuple, not str." in step.reason


def test_no_files(step: Step) -> None:
    assert step.run()[0] == 1
    assert step.reason == "The input data has no files."


def test_mini_batches() -> None:
    assert cut(["a", "b", "c"], 2) == [["a", "b"], ["c"]]
    assert cut([], 2) == []


def test_failed_files_are_those_without_a_result() -> None:
    orders = {
        "allowed_failed_percent": 100,
        "mini_batch_error_threshold": -1,
        "error_threshold": 2,
    }
    tally = Tally(orders, 10)
    tally.add(Outcome(["a", "b", "c"], results=["a"], error="short"))
    with pytest.raises(StepFailedError, match="Of the files 3 failed, and at most 2 may"):
        tally.add(Outcome(["d"], error="short"))

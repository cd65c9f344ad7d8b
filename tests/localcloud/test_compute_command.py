"""How the compute node runs a command: its output, its environment, its end."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from small_cloud import until

from localcloud.compute import command as command_module
from localcloud.compute import guard
from localcloud.compute.command import CommandError, CommandRunner, OutOfTime, fill_in
from localcloud.compute.inputs import InputError
from localcloud.compute.shell import LAST_LINES, Ended, run_shell
from localcloud.connection import Storage
from localcloud.parts import MARK
from localcloud.training.steps import Cancelled

STORAGE = Storage(
    account="devstoreaccount1",
    connection_string="UseDevelopmentStorage=true",
    blob_url="http://127.0.0.1:10000/devstoreaccount1",
    queue_url="http://127.0.0.1:10001/devstoreaccount1",
)
PATH = {"PATH": "/usr/bin:/bin"}


class Workspace:
    """What the node asks of the workspace: it cancels a job when it is told to."""

    node = "node"

    def __init__(self) -> None:
        self.cancel = False
        self.reports: list[str] = []

    def is_cancelled(self, job: str) -> bool:
        return self.cancel

    def report_job(self, job: str, status: str) -> None:
        self.reports.append(status)


class Log:
    """A log in memory."""

    text = b""

    def __init__(self, container: object, job: str) -> None:
        type(self).text = b""

    def write(self, text: bytes) -> None:
        type(self).text += text


@pytest.fixture
def workspace() -> Workspace:
    return Workspace()


@pytest.fixture
def runner(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CommandRunner]:
    """A runner without a storage account."""
    monkeypatch.setattr(command_module, "open_container", lambda storage, name: None)
    monkeypatch.setattr(command_module, "CommandLog", Log)
    yield CommandRunner(STORAGE, workspace, tmp_path / "base")  # type: ignore[arg-type]
    assert not list((tmp_path / "work").glob("*"))


def order(tmp_path: Path, command: str, **changes: Any) -> dict[str, Any]:
    """What the workspace tells the node."""
    given = {
        "name": "job",
        "command": command,
        "code": None,
        "variables": {},
        "literals": {},
        "assets": {},
        "outputs": {},
        "seconds": None,
        "log_container": "azureml",
        "work_dir": str(tmp_path / "work"),
    }
    return given | changes


def output(folder: Path, kind: str = "uri_folder") -> dict[str, Any]:
    return {"type": kind, "container": "c", "path": "p", "folder": str(folder)}


def shell(tmp_path: Path, command: str, **more: Any) -> tuple[Ended, list[bytes]]:
    """Run a command; gives how it ended and what was written of its output, piece by piece."""
    written: list[bytes] = []
    check = more.pop("check", lambda: None)
    return run_shell(command, tmp_path, PATH, written.append, check), written


def sleeping(seconds: str) -> int:
    """How many processes sleep for just so long."""
    lines = (process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"]))
    return sum(line == ["sleep", seconds] for line in lines)


class TestShell:
    def test_output_of_both_streams_and_exit_code(self, tmp_path: Path) -> None:
        ended, written = shell(tmp_path, "pwd; echo problem >&2; printf unfinished; exit 7")
        expected = (str(tmp_path), "problem", "unfinished")
        assert ended == Ended(7, expected)
        assert b"".join(written).decode().splitlines() == list(expected)

    def test_lines_come_whole_and_while_it_runs(self, tmp_path: Path) -> None:
        seen: list[bool] = []
        written: list[bytes] = []

        def check() -> None:
            seen.append(written == [b"one\n"])

        command = "printf 'on'; sleep 0.5; echo e; sleep 0.7; echo two"
        run_shell(command, tmp_path, PATH, written.append, check)
        assert any(seen)
        assert written == [b"one\n", b"two\n"]

    def test_much_output_and_only_its_end_is_remembered(self, tmp_path: Path) -> None:
        ended, written = shell(tmp_path, "seq 300000")
        assert b"".join(written).splitlines()[-1] == b"300000"
        assert len(b"".join(written).splitlines()) == 300_000
        assert len(ended.last_lines) == LAST_LINES

    def test_command_killed_by_a_signal(self, tmp_path: Path) -> None:
        assert shell(tmp_path, "kill -9 $$")[0].code == 137

    def test_what_check_raises_ends_all_that_runs(self, tmp_path: Path) -> None:
        def check() -> None:
            if sleeping("71.5") == 2:
                raise Cancelled("enough")

        with pytest.raises(Cancelled, match="enough"):
            shell(tmp_path, "sleep 71.5 & sleep 71.5", check=check)
        assert sleeping("71.5") == 0

    def test_command_that_ignores_the_signal(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script = tmp_path / "guard.py"
        text = Path(guard.__file__).read_text()
        script.write_text(text.replace("GRACE_SECONDS = 5.0", "GRACE_SECONDS = 0.3"))
        monkeypatch.setattr(guard, "__file__", str(script))
        begun = tmp_path / "begun"

        def check() -> None:
            if begun.exists():
                raise Cancelled("enough")

        with pytest.raises(Cancelled):
            shell(
                tmp_path, "trap '' TERM; touch begun; while true; do sleep 0.1; done", check=check
            )

    def test_what_a_command_leaves_running_ends_with_it(self, tmp_path: Path) -> None:
        assert shell(tmp_path, "sleep 72.5 & echo done")[0] == Ended(0, ("done",))
        assert sleeping("72.5") == 0

    def test_command_ends_with_the_node(self) -> None:
        line = [sys.executable, "-I", guard.__file__, "sh", "-c", "sleep 73.5 & sleep 73.5"]
        parent = subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"import subprocess; subprocess.Popen({line!r}, stdin=-1).wait()",
            ]
        )
        until(lambda: sleeping("73.5") == 2)
        parent.kill()
        parent.wait()
        until(lambda: sleeping("73.5") == 0)


class TestRunner:
    def test_inputs_outputs_and_log(
        self, runner: CommandRunner, workspace: Workspace, tmp_path: Path
    ) -> None:
        (tmp_path / "data.txt").write_text("data\n")
        job = order(
            tmp_path,
            "cat ${{inputs.data}}; echo ${{ inputs.text }}; cp ${{inputs.data}} ${{outputs.file}};"
            "touch ${{outputs.folder}}/a",
            literals={"text": "$((1 + 1)) '${{inputs.data}}'"},
            assets={"data": str(tmp_path / "data.txt")},
            outputs={
                "folder": output(tmp_path / "kept" / "folder"),
                "file": output(tmp_path / "kept" / "file", "uri_file"),
            },
        )
        runner.run(job)
        assert Log.text == b"data\n2 ${{inputs.data}}\n"
        assert (tmp_path / "kept" / "folder" / "a").exists()
        assert (tmp_path / "kept" / "file").read_text() == "data\n"
        assert workspace.reports == ["Finalizing"]

    def test_environment_has_nothing_of_the_nodes(
        self, runner: CommandRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(MARK, "/secret")
        monkeypatch.setenv("PYTHONPATH", "/somewhere")
        runner.run(order(tmp_path, "env; which python", variables={"X": '{"a": 1}'}))
        *lines, python = Log.text.decode().splitlines()
        variables = dict(line.split("=", 1) for line in lines)
        assert variables["X"] == '{"a": 1}'
        assert variables["AZUREML_RUN_ID"] == "job"
        assert {MARK, "PYTHONPATH"}.isdisjoint(variables)
        assert Path(python).parent == Path(sys.executable).parent

    def test_failure_says_how_and_keeps_nothing(
        self, runner: CommandRunner, workspace: Workspace, tmp_path: Path
    ) -> None:
        command = "touch ${{outputs.out}}/half; echo no such column >&2; exit 3"
        outputs = {"out": output(tmp_path / "kept")}
        with pytest.raises(CommandError, match=r"exit code 3\. Its last lines:\nno such column"):
            runner.run(order(tmp_path, command, outputs=outputs))
        assert not (tmp_path / "kept").exists()
        assert workspace.reports == []

    def test_unknown_command(self, runner: CommandRunner, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="exit code 127"):
            runner.run(order(tmp_path, "no-such-command"))

    def test_cancelled(self, runner: CommandRunner, workspace: Workspace, tmp_path: Path) -> None:
        workspace.cancel = True
        with pytest.raises(Cancelled, match="was cancelled"):
            runner.run(order(tmp_path, "sleep 74.5"))
        assert sleeping("74.5") == 0

    def test_longer_than_its_limit(self, runner: CommandRunner, tmp_path: Path) -> None:
        with pytest.raises(OutOfTime, match=r"limit of 0\.3 s"):
            runner.run(order(tmp_path, "sleep 75.5", seconds=0.3))

    def test_input_that_is_not_there(self, runner: CommandRunner, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="Input 'data'"):
            runner.run(order(tmp_path, "true", assets={"data": str(tmp_path / "none")}))

    def test_what_a_lost_node_left_is_removed(self, runner: CommandRunner, tmp_path: Path) -> None:
        (tmp_path / "work" / "job.lost" / "code").mkdir(parents=True)
        runner.run(order(tmp_path, "true"))


def test_literals_are_text_as_they_are() -> None:
    filled = fill_in("a ${{inputs.x}} ${{ outputs.y }} ${HOME}", {"x": "\\1 b"}, {"y": Path("/y")})
    assert filled == "a \\1 b /y ${HOME}"

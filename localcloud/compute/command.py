"""Runs the command of a command job.

Azure runs it in a container made from the job's environment. There is no Docker here, so it runs
with the node's own Python and whatever is installed beside it: the environment is registered and
checked, and otherwise ignored. Inputs are downloaded instead of mounted, and outputs are uploaded
when the command has succeeded; what was in an output's place before stays and is not seen.
"""

import re
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from localcloud.compute.artifacts import CommandLog, keep_output, open_container, serve_output
from localcloud.compute.control import Control, Json
from localcloud.compute.inputs import fetch_inputs
from localcloud.compute.shell import Ended, run_shell
from localcloud.compute.working_folder import working_folder
from localcloud.connection import Storage
from localcloud.training.steps import Cancelled

CANCEL_CHECK_SECONDS = 0.5
MAX_MESSAGE = 3000
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_REFERENCE = re.compile(r"\$\{\{\s*(inputs|outputs)\.(\w+)\s*\}\}", re.ASCII)


class CommandError(Exception):
    """The command did not succeed; the text says how it ended."""


class OutOfTime(Cancelled):
    """The command ran for longer than its limit; Azure cancels such a job, it does not fail."""


class CommandRunner:
    """Runs one command job after the other."""

    def __init__(self, storage: Storage, control: Control, base_model: Path) -> None:
        self._storage = storage
        self._control = control
        self._base_model = base_model

    def run(self, job: Json) -> None:
        """Fetch, run and upload.

        Raises:
            InputError: the code or an input is not there.
            CommandError: the command ended with another exit code than 0.
            OutOfTime: the command took longer than it may.
            Cancelled: the job was cancelled.
            Superseded: another node has the job now.
        """
        with working_folder(job, self._control.node) as work:
            code = fetch_code(job["code"], self._storage, work)
            assets = fetch_inputs(job["assets"], self._storage, self._base_model, work / "inputs")
            outputs = make_outputs(job["outputs"], work / "outputs")
            command = fill_in(job["command"], {**job["literals"], **assets}, outputs)
            container = open_container(self._storage, job["log_container"])
            log = CommandLog(container, job["name"])
            check = self._watch(job["name"], job["seconds"])
            ended = run_shell(command, code, environment(job, work), log.write, check)
            if ended.code:
                raise CommandError(describe_end(ended))
            self._control.report_job(job["name"], "Finalizing")
            for name, output in job["outputs"].items():
                container = open_container(self._storage, output["container"])
                keep_output(container, outputs[name], output["path"])
                serve_output(outputs[name], output)

    def _watch(self, job: str, seconds: float | None) -> Callable[[], None]:
        """What raises as soon as the job is to end."""
        begun = asked = time.monotonic()

        def check() -> None:
            nonlocal asked
            now = time.monotonic()
            if seconds is not None and now - begun > seconds:
                raise OutOfTime(f"Job {job} took longer than its limit of {seconds:g} s.")
            if now - asked >= CANCEL_CHECK_SECONDS:
                asked = now
                if self._control.is_cancelled(job):
                    raise Cancelled(f"Job {job} was cancelled.")

        return check


def fetch_code(code: str | None, storage: Storage, work: Path) -> Path:
    """The folder to run in; the command gets a home and a place for temporary files as well.

    Raises:
        InputError: the code is not there.
    """
    for name in ("code", "home", "tmp"):
        (work / name).mkdir(parents=True)
    if code is None:
        return work / "code"
    return fetch_inputs({"code": code}, storage, work, work)["code"]


def fill_in(command: str, inputs: Mapping[str, object], outputs: Mapping[str, object]) -> str:
    """The command with the inputs and outputs that it refers to, as plain text as in Azure."""
    values = {"inputs": inputs, "outputs": outputs}
    return _REFERENCE.sub(lambda match: str(values[match[1]][match[2]]), command)


def environment(job: Json, work: Path) -> dict[str, str]:
    """What the command finds in its environment: nothing of this process's own."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{SYSTEM_PATH}",
        "HOME": str(work / "home"),
        "TMPDIR": str(work / "tmp"),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "AZUREML_RUN_ID": job["name"],
        **job["variables"],
    }


def make_outputs(outputs: Mapping[str, Json], folder: Path) -> dict[str, Path]:
    """Where the command is to put its outputs: a folder for each that is one."""
    folder.mkdir()
    places = {name: folder / name for name in outputs}
    for name, place in places.items():
        if outputs[name]["type"] != "uri_file":
            place.mkdir()
    return places


def describe_end(ended: Ended) -> str:
    """How a command failed, with the last that it said."""
    lines = "\n".join(ended.last_lines)
    head = f"The command ended with exit code {ended.code}."
    return f"{head} Its last lines:\n{lines[-MAX_MESSAGE:]}" if lines else head

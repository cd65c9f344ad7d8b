"""Takes one job after the other and runs it."""

import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from localcloud.compute.artifacts import JobLogs, open_container, upload_folder
from localcloud.compute.command import CommandError, CommandRunner, OutOfTime
from localcloud.compute.control import Control, Json, Superseded
from localcloud.compute.inputs import InputError, fetch_inputs
from localcloud.compute.steps import StepRunner
from localcloud.compute.tracker import JobTracker, describe
from localcloud.connection import Connection
from localcloud.training.pipeline import Cancelled, PipelineError, Tracker, run_chat_completion

LOG = logging.getLogger(__name__)

Train = Callable[[Mapping[str, Any], Path, Tracker], None]
"""Runs the pipeline: with its inputs, into a folder."""


class Node:
    """A compute node with the foundation model at hand; `train` runs the fine-tuning pipeline."""

    def __init__(
        self,
        connection: Connection,
        control: Control,
        base_model: Path,
        train: Train = run_chat_completion,
    ) -> None:
        self._connection = connection
        self._train = train
        self._control = control
        self._base_model = base_model
        self._commands = CommandRunner(connection.storage, control, base_model)
        self._steps = StepRunner(connection.storage, control, base_model)

    def run_forever(self) -> None:
        """Take and run jobs until a newer node takes this one's place."""
        while True:
            try:
                job = self._control.next_job()
            except Superseded as reason:
                LOG.warning("ending: %s", reason)
                return
            if job is not None:
                self.run(job)

    def run(self, job: Json) -> None:
        """Run a job to its end, whatever that is."""
        name = job["name"]
        LOG.info("job %s begins", name)
        try:
            if job["kind"] == "Command":
                self._commands.run(job)
            elif job["kind"] == "Steps":
                self._steps.run(job)
            else:
                self._run_pipeline(job)
        except Superseded as reason:
            LOG.warning("job %s given up: %s", name, reason)
        except OutOfTime as reason:
            self._report(name, "Canceled", {"code": "UserError", "message": str(reason)})
        except Cancelled:
            self._report(name, "Canceled")
        except (InputError, CommandError) as error:
            self._report(name, "Failed", {"code": "UserError", "message": str(error)})
        except PipelineError as error:
            self._report(name, "Failed", describe(error))
        except Exception as error:
            LOG.exception("job %s failed", name)
            self._report(name, "Failed", describe(error))
        else:
            self._report(name, "Completed")

    def _run_pipeline(self, job: Json) -> None:
        storage = self._connection.storage
        final = Path(job["output_dir"])
        work = final.with_name(f".{final.name}.{self._control.node}")
        for left_behind in final.parent.glob(f".{final.name}.*"):
            shutil.rmtree(left_behind, ignore_errors=True)
        try:
            assets = fetch_inputs(job["assets"], storage, self._base_model, work / "inputs")
            outputs = work / "outputs"
            outputs.mkdir(parents=True)
            logs = JobLogs(open_container(storage, job["log_container"]), job["name"])
            tracker = JobTracker(self._control, job["name"], logs)
            self._train({**job["literals"], **assets}, outputs, tracker)
            self._control.report_job(job["name"], "Finalizing")
            self._upload(job["outputs"], outputs)
            shutil.rmtree(final, ignore_errors=True)
            outputs.rename(final)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _upload(self, place: Json, folder: Path) -> None:
        """Put the job's outputs where the SDK downloads them; the folder serves the workspace."""
        container = open_container(self._connection.storage, place["container"])
        if container is not None:
            for name in place["folders"]:
                upload_folder(container, folder / name, f"{place['path']}/{name}")

    def _report(self, job: str, status: str, error: Json | None = None) -> None:
        LOG.info("job %s: %s %s", job, status, error or "")
        try:
            self._control.report_job(job, status, error)
        except Superseded as reason:
            LOG.warning("job %s given up: %s", job, reason)

"""Runs pipeline jobs whose steps are commands and parallel steps, one step after the other.

As with command jobs there are no containers and no mounts: see `localcloud.compute.command`. What
a step has made is uploaded when it has succeeded, and the steps after it read it on this machine.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from localcloud.compute.artifacts import JobLogs, keep_output, open_container, serve_output
from localcloud.compute.command import (
    CommandError,
    describe_end,
    environment,
    fetch_code,
    fill_in,
    make_outputs,
)
from localcloud.compute.control import Control, Json
from localcloud.compute.inputs import InputError, fetch_inputs
from localcloud.compute.parallel import ParallelRun
from localcloud.compute.shell import run_shell
from localcloud.compute.tracker import JobTracker
from localcloud.compute.working_folder import working_folder
from localcloud.connection import Storage
from localcloud.training.steps import PipelineError

Made = dict[tuple[str, str], Path]
"""What the steps have made, by step and output."""


class StepRunner:
    """Runs one such job after the other."""

    def __init__(self, storage: Storage, control: Control, base_model: Path) -> None:
        self._storage = storage
        self._control = control
        self._base_model = base_model

    def run(self, job: Json) -> None:
        """Run all steps in their order.

        Raises:
            PipelineError: a step has failed; the text begins with its name.
            Cancelled: the job was cancelled.
            Superseded: another node has the job now.
        """
        logs = JobLogs(open_container(self._storage, job["log_container"]), job["name"])
        tracker = JobTracker(self._control, job["name"], logs)
        made: Made = {}
        with working_folder(job, self._control.node) as work:
            for step in job["steps"]:
                with tracker.step(step["name"]):
                    self._run_step(step, work / step["name"], made, tracker, logs)
            self._control.report_job(job["name"], "Finalizing")
            for step in job["steps"]:
                for name, output in step["outputs"].items():
                    serve_output(made[step["name"], name], output)

    def _run_step(
        self, step: Json, work: Path, made: Made, tracker: JobTracker, logs: JobLogs
    ) -> None:
        try:
            code = fetch_code(step["code"], self._storage, work)
            assets = fetch_inputs(step["assets"], self._storage, self._base_model, work / "inputs")
            bound = {key: made[tuple(source)] for key, source in step["bound"].items()}
            inputs = {**step["literals"], **assets, **bound}
            outputs = make_outputs(step["outputs"], work / "outputs")
            variables = environment({"name": tracker.run, "variables": step["variables"]}, work)
            check = _watch(step.get("seconds"), tracker)
            command, describe = _command(step, code, work, inputs, outputs)
            ended = run_shell(command, code, variables, logs.step_output, check)
            if ended.code:
                raise CommandError(describe() or describe_end(ended))
        except (InputError, CommandError) as error:
            raise PipelineError(step["name"], str(error)) from error
        for name, output in step["outputs"].items():
            container = open_container(self._storage, output["container"])
            keep_output(container, outputs[name], output["path"])
            made[step["name"], name] = outputs[name]


def _command(
    step: Json, code: Path, work: Path, inputs: Mapping[str, object], outputs: Mapping[str, Path]
) -> tuple[str, Callable[[], str]]:
    """The command of a step, and what says afterwards why it failed if it knows better."""
    if "parallel" not in step:
        return fill_in(step["command"], inputs, outputs), lambda: ""
    parallel = ParallelRun(step["parallel"], code, work)
    return parallel.command(inputs, outputs), parallel.reason


def _watch(seconds: float | None, tracker: JobTracker) -> Callable[[], None]:
    """What raises as soon as the step is to end."""
    begun = time.monotonic()

    def check() -> None:
        if seconds is not None and time.monotonic() - begun > seconds:
            raise CommandError(f"The step took longer than its limit of {seconds:g} s.")
        tracker.check_cancelled()

    return check

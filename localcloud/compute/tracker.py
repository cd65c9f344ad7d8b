"""How a running pipeline reports its progress."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from localcloud.compute.artifacts import JobLogs
from localcloud.compute.control import Control
from localcloud.training.pipeline import Cancelled, PipelineError

CANCEL_CHECK_SECONDS = 0.5


class JobTracker:
    """Reports the steps, metrics and parameters of one job to the workspace.

    `run` is the id of the run of the step that began last.
    """

    def __init__(self, control: Control, job: str, logs: JobLogs) -> None:
        self._control = control
        self._logs = logs
        self._job = job
        self._step: str | None = None
        self.run = ""
        self._checked = 0.0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A child run: running inside the block, then completed, failed or cancelled."""
        self.check_cancelled()
        self._step = name
        self.run = self._control.report_step(self._job, name, "Running")
        self._logs.begin_step(name, self.run)
        try:
            yield
        except Cancelled:
            self._end(name, "Canceled")
            raise
        except Exception as error:
            self._end(name, "Failed", describe(error))
            raise
        else:
            self._end(name, "Completed")
        finally:
            self._step = None

    def _end(self, name: str, status: str, error: dict[str, object] | None = None) -> None:
        if error is not None:
            self._logs.step(f"{error['code']}: {error['message']}")
        self._logs.end_step(name, status)
        self._control.report_step(self._job, name, status, error)

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Metrics of the current step. Values that are not finite are dropped, as Azure does."""
        finite = {key: float(value) for key, value in metrics.items() if math.isfinite(value)}
        if finite and self._step:
            self._control.log(self._job, self._step, metrics=finite, iteration=step)
            self._logs.step(f"step {step}: {_listed(finite)}")

    def log_params(self, params: Mapping[str, object]) -> None:
        """Parameters of the current step."""
        values = {key: str(value) for key, value in params.items()}
        if values and self._step:
            self._control.log(self._job, self._step, params=values)
            self._logs.step(_listed(values))

    def check_cancelled(self) -> None:
        """Ask, at most twice a second, whether the job is to end.

        Raises:
            Cancelled: it is.
        """
        now = time.monotonic()
        if now - self._checked < CANCEL_CHECK_SECONDS:
            return
        self._checked = now
        if self._control.is_cancelled(self._job):
            raise Cancelled(f"Job {self._job} was cancelled.")


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())


def describe(error: Exception) -> dict[str, object]:
    """An error as Azure's run history has it: the user's mistake or the system's."""
    if isinstance(error, PipelineError):
        return {"code": "UserError", "message": str(error)}
    return {"code": "SystemError", "message": f"{type(error).__name__}: {error}"}

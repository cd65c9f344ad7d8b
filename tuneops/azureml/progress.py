"""How far the training of a job has come, through MLflow."""

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tuneops.azureml.metrics import FINE_TUNING, NoRunError, tracking
from tuneops.azureml.workspace import Workspace
from tuneops.training_progress import DRAWN, EPOCH, Seen

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

MAX_RUNS = 50
PARENT, WAITS = "mlflow.parentRunId", "SCHEDULED"


def read(workspace: Workspace, job_name: str, known: str = "") -> Seen | None:
    """What the step that trains has logged last; None while there is no such step.

    It takes one small call where its run is `known`, and two else: no course of a metric is read.

    Raises:
        NoRunError: the job has no run yet.
        UnavailableError: the tracking server can't be asked now.
    """
    with tracking(workspace, f"progress of job {job_name}") as client:
        return look(client, job_name, known)


def look(client: "MlflowClient", job_name: str, known: str = "") -> Seen | None:
    """The same, by a client of the tracking server.

    Raises:
        MlflowException: the tracking server did not give it.
    """
    run = client.get_run(known) if known else _training_run(client, job_name)
    return _seen(run) if run else None


def _training_run(client: "MlflowClient", job_name: str) -> "Run | None":
    found = _below(client, client.get_run(job_name))
    return next((run for run in found if str(run.info.run_name).endswith(FINE_TUNING)), None)


def began(workspace: Workspace, job_name: str) -> datetime | None:
    """When the first step of a job began to run; None while all wait for machines.

    Raises:
        UnavailableError: the tracking server can't be asked now.
    """
    try:
        with tracking(workspace, f"begin of job {job_name}") as client:
            return first_begin(client, job_name)
    except NoRunError:
        return None


def first_begin(client: "MlflowClient", job_name: str) -> datetime | None:
    """The same, by a client of the tracking server; a job without steps counts itself.

    The run of a component that is a pipeline goes as the job goes: its steps count.

    Raises:
        MlflowException: the tracking server did not give it.
    """
    root = client.get_run(job_name)
    below = _below(client, root)
    parents = {run.data.tags.get(PARENT) for run in below}
    steps = [run for run in below if run.info.run_id not in parents]
    times = [run.info.start_time for run in steps or [root] if run.info.status != WAITS]
    return min((datetime.fromtimestamp(at / 1000, UTC) for at in times if at), default=None)


def _below(client: "MlflowClient", root: "Run") -> "list[Run]":
    found = client.search_runs(
        [root.info.experiment_id],
        filter_string=f"tags.mlflow.rootRunId = '{root.info.run_id}'",
        max_results=MAX_RUNS,
    )
    return [run for run in found if run.info.run_id != root.info.run_id]


def _seen(run: "Run") -> Seen:
    logged, times = {}, []
    for metric in run.to_proto().data.metrics:  # type: ignore[no-untyped-call]
        if metric.key in (*DRAWN, EPOCH) and math.isfinite(metric.value):
            logged[metric.key] = (float(metric.step), metric.value)
            times.append(metric.timestamp)
    at = datetime.fromtimestamp(max(times) / 1000, UTC) if times else None
    return Seen(run=run.info.run_id, logged=logged, at=at)

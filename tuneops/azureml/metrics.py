"""Metrics of a training job and its steps, through MLflow."""

import os

from tuneops.azureml.errors import UnavailableError, azure_errors
from tuneops.azureml.workspace import Workspace


def read(workspace: Workspace, job_name: str) -> dict[str, float]:
    """The last value of every metric that the job or a step of it logged; the job's own win.

    A metric that became NaN is not logged by the component at all. MLflow's own retries, which
    would hold the worker for minutes, are cut short: the reconciler tries again.

    Raises:
        UnavailableError: the tracking server can't be asked now.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    with azure_errors(f"metrics of job {job_name}"):
        client = MlflowClient(workspace.mlflow_tracking_uri)
    try:
        root = client.get_run(job_name)
        steps = client.search_runs(
            [root.info.experiment_id], filter_string=f"tags.mlflow.parentRunId = '{job_name}'"
        )
    except MlflowException as error:
        raise UnavailableError(f"metrics of job {job_name}: {error.message}") from error
    metrics: dict[str, float] = {}
    for run in (*reversed(steps), root):
        metrics.update(run.data.metrics)
    return metrics

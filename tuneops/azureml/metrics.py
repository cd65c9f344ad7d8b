"""Metrics of a training job and its steps, through MLflow."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tuneops.azureml.errors import MissingRoleError, UnavailableError, azure_errors
from tuneops.azureml.workspace import Workspace
from tuneops.estimates import JobTimes
from tuneops.evaluation.directions import is_loss
from tuneops.evaluation.figures import EVAL_LOSS, TRAIN_LOSS
from tuneops.loss_curves import STEP_LOSS
from tuneops.names import TAG_PREVIEW, TAG_RELEASE
from tuneops.permissions.explaining import explained
from tuneops.release import Metrics, Point

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

MAX_CURVES = 30
MAX_POINTS = 200
FINE_TUNING = "finetune"
"""How the name of the step that trains ends, in every pipeline for fine-tuning of the registry."""
DULL = ("_runtime", "_per_second", "total_flos", "epoch", "learning_rate", "grad_norm")
"""How the names of metrics end whose course is not read, as each is a call: losses say more."""
EVALUATED = "eval_"
"""How the names of metrics begin that are logged at each evaluation, beside its loss."""
LOOP_METRIC = "train_runtime"
"""What Hugging Face's Trainer logs at its end: the seconds of its loop."""


class NoRunError(UnavailableError):
    """The job has no run yet: it waits for a node, or was not submitted."""


def read(workspace: Workspace, job_name: str) -> Metrics:
    """Every metric that the job or a step of it logged, with its course, and how long it trained.

    A metric that became NaN is not logged by the component at all; another job may log NaN or
    infinite, which is noted.

    Raises:
        NoRunError: the job has no run yet.
        UnavailableError: the tracking server can't be asked now.
    """
    with tracking(workspace, f"metrics of job {job_name}") as client:
        return collect(client, job_name)


@contextmanager
def tracking(workspace: Workspace, what: str) -> "Iterator[MlflowClient]":
    """A client of the workspace's tracking server, which is asked for `what`, in words.

    MLflow's own retries, which would hold the worker for minutes, are cut short: the reconciler
    tries again.

    Raises:
        NoRunError: what is asked for is not there.
        UnavailableError: the tracking server can't be asked now.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    with azure_errors(what):
        client = MlflowClient(workspace.mlflow_tracking_uri)
    try:
        yield client
    except MlflowException as error:
        if error.error_code == "PERMISSION_DENIED":
            raise MissingRoleError(f"{what}: {explained(str(error.message))}") from error
        absent = error.error_code == "RESOURCE_DOES_NOT_EXIST"
        kind = NoRunError if absent else UnavailableError
        raise kind(f"{what}: {error.message}") from error


def collect(client: "MlflowClient", job_name: str) -> Metrics:
    """The metrics of the run of this name and of all runs below it.

    Raises:
        MlflowException: the tracking server did not give them.
    """
    root = client.get_run(job_name)
    found = client.search_runs(
        [root.info.experiment_id], filter_string=f"tags.mlflow.rootRunId = '{job_name}'"
    )
    steps = [run for run in found if run.info.run_id != job_name]
    curves, odd = _curves(client, root, steps)
    values: dict[str, float] = {}
    for run in (*reversed(steps), root):
        values.update(_finite(run))
    return Metrics(
        values=values,
        steps={str(run.info.run_name): own for run in steps if (own := _finite(run))},
        curves=curves,
        not_finite=tuple(sorted(odd.union(*map(_not_finite, (root, *steps))))),
        times=_times(root, steps, values.get(LOOP_METRIC)),
    )


def _times(root: "Run", steps: "Sequence[Run]", loop: float | None) -> JobTimes:
    """How long the fine-tuning step ran by its own start and end; without them, its loop."""
    spans = [
        (run.info.end_time - run.info.start_time) / 1000
        for run in steps
        if _trains(run) and run.info.start_time and run.info.end_time
    ]
    seconds = max((span for span in spans if span > 0), default=loop)
    tags = root.data.tags
    preview = " of a preview" if TAG_PREVIEW in tags else ""
    return JobTimes(
        release=f"{tags.get(TAG_RELEASE, '')}{preview}", seconds=seconds, loop_seconds=loop
    )


def _curves(
    client: "MlflowClient", root: "Run", steps: "Sequence[Run]"
) -> tuple[dict[str, tuple[Point, ...]], set[str]]:
    """The courses of metrics, each read once, where it was logged; losses before others.

    What steps log, the job above them has as well; what a step that does not train has logged once
    may have its course there. Second, the names of those that were NaN or infinite on their way.
    """
    curves: dict[str, tuple[Point, ...]] = {}
    odd: set[str] = set()
    read: set[str] = set()
    for run, name in _courses([*sorted(steps, key=_trains, reverse=True), root]):
        if len(curves) == MAX_CURVES:
            break
        if name in read or _is_known(name, curves, read):
            continue
        history = client.get_metric_history(run.info.run_id, name)
        points = [Point(step=m.step, value=m.value) for m in history]
        if len(points) > 1 or _trains(run):
            read.add(name)
        finite = [point for point in points if math.isfinite(point.value)]
        if len(finite) < len(points):
            odd.add(name)
        if len(finite) > 1:
            curves[name] = thinned(finite)
    return curves, odd


def _courses(runs: "Sequence[Run]") -> "list[tuple[Run, str]]":
    """What may have a course, by run and name: all losses first, which say whether it went well."""
    found = [(run, name) for run in runs for name in sorted(_with_course(run))]
    return sorted(found, key=lambda each: not is_loss(each[1]))


def _is_known(name: str, curves: Mapping[str, object], read: set[str]) -> bool:
    """Whether its course is another's, or has one value: evaluations log all theirs together."""
    if name == TRAIN_LOSS:
        return STEP_LOSS in curves
    return name.startswith(EVALUATED) and EVAL_LOSS in read - curves.keys()


def _trains(run: "Run") -> bool:
    return str(run.info.run_name).endswith(FINE_TUNING)


def _with_course(run: "Run") -> set[str]:
    """The names of the run's metrics that may have a course: what is logged at step 0 has none."""
    logged = run.to_proto().data.metrics  # type: ignore[no-untyped-call]
    return {m.key for m in logged if (m.step or is_loss(m.key)) and not m.key.endswith(DULL)}


def _finite(run: "Run") -> dict[str, float]:
    """The run's metrics without those that are no numbers: JSON can't keep them."""
    return {name: value for name, value in run.data.metrics.items() if math.isfinite(value)}


def _not_finite(run: "Run") -> set[str]:
    return {name for name, value in run.data.metrics.items() if not math.isfinite(value)}


def thinned(points: Sequence[Point]) -> tuple[Point, ...]:
    """At most `MAX_POINTS` points by their steps, the first and the last among them."""
    ordered = sorted(points, key=lambda point: point.step)
    if len(ordered) <= MAX_POINTS:
        return tuple(ordered)
    last = len(ordered) - 1
    return tuple(ordered[index * last // (MAX_POINTS - 1)] for index in range(MAX_POINTS))

"""Which metrics of a job are read, from MLflow's own store: azureml-mlflow takes the same calls."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tuneops.azureml import metrics
from tuneops.release import Metrics

if TYPE_CHECKING:
    from mlflow import MlflowClient


class Logged(NamedTuple):
    """A client, the run of a job and that of its one step."""

    client: "MlflowClient"
    job: str
    step: str


@pytest.fixture
def logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Logged:
    """A job whose step is called finetune, where it is not told otherwise."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    client = MlflowClient(tmp_path.as_uri())
    experiment = client.create_experiment("bot")
    job = client.create_run(experiment).info.run_id
    step = client.create_run(experiment, run_name=getattr(request, "param", "finetune")).info.run_id
    for run in (job, step):
        client.set_tag(run, "mlflow.rootRunId", job)
    return Logged(client, job, step)


def test_metrics_are_read_with_what_was_no_number(logged: Logged) -> None:
    """MLflow itself keeps NaN, which JSON does not."""
    client, job, step = logged
    for place, value in enumerate((3.0, math.nan, 1.0)):
        client.log_metric(step, "loss", value, step=place)
    client.log_metric(job, "eval_loss", math.inf)
    client.log_metric(job, "rougeL", 0.5)
    found = metrics.collect(client, job)
    assert found.values == {"loss": 1.0, "rougeL": 0.5}
    assert found.steps == {"finetune": {"loss": 1.0}}
    assert [point.value for point in found.curves["loss"]] == [3.0, 1.0]
    assert found.not_finite == ("eval_loss", "loss")
    assert list(found.curves) == ["loss"]
    assert Metrics.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize("logged", ["evaluate"], indirect=True)
def test_losses_are_read_first_and_wherever_their_course_is(
    logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a step logged once, the job may have logged often; its other metrics come after."""
    monkeypatch.setattr(metrics, "MAX_CURVES", 2)
    client, job, step = logged
    client.log_metric(step, "eval_loss", 2.0, step=4)
    for place, value in enumerate((4.0, math.nan, 2.0), 1):
        client.log_metric(step, "accuracy", place, step=place)
        client.log_metric(step, "bleu", place, step=place)
        client.log_metric(job, "eval_loss", value, step=place)
    found = metrics.collect(client, job)
    assert list(found.curves) == ["eval_loss", "accuracy"]
    assert [point.value for point in found.curves["eval_loss"]] == [4.0, 2.0]
    assert found.not_finite == ("eval_loss",)


def test_what_is_evaluated_once_has_no_course(
    logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each course is a call: the loss tells how often the step that trains was evaluated."""
    client, job, step = logged
    asked: list[str] = []
    read = client.get_metric_history
    monkeypatch.setattr(
        client, "get_metric_history", lambda run, name: (asked.append(name), read(run, name))[1]
    )
    for run in (job, step):
        for place in (1, 2):
            client.log_metric(run, "loss", 1.0, step=place)
        client.log_metric(run, "eval_loss", 2.0, step=2)
        client.log_metric(run, "eval_f1", 0.5, step=2)
    assert list(metrics.collect(client, job).curves) == ["loss"]
    assert asked == ["eval_loss", "loss"]

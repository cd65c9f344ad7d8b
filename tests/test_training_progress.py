"""How far a training has come: what looks at its run add up to."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.config_text import config_of
from tuneops import observe
from tuneops.azureml.workspace import Workspace
from tuneops.curves import MAX_POINTS
from tuneops.observed import Job, Observed
from tuneops.parameters import Origin, Parameter
from tuneops.patience import wait
from tuneops.phases.training import train
from tuneops.release import Entry, Phase, Release, TrainingPlan
from tuneops.training_progress import MISSED_PAUSE, Seen, TrainingProgress, advanced

BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)
INPUTS = {"num_train_epochs": Parameter(value=4, origin=Origin.CONFIG)}


def seen(step: int, seconds: float, epoch: float, loss: float = 1.0, run: str = "r") -> Seen:
    logged = {"loss": (float(step), loss), "epoch": (float(step), epoch)}
    return Seen(run=run, logged=logged, at=BEGAN + timedelta(seconds=seconds))


def after(*looks: Seen, inputs: dict[str, Parameter] = INPUTS) -> TrainingProgress:
    progress = None
    for look in looks:
        progress = advanced(progress, look, inputs)
    assert progress
    return progress


def test_what_is_to_come_takes_as_long_as_what_was() -> None:
    one = after(seen(10, 60, 0.4, 2.5))
    assert (one.step, one.steps, one.share, one.ends_at) == (10, 100, 0.1, None)
    two = after(seen(10, 60, 0.4, 2.5), seen(40, 120, 1.6, 1.5))
    assert two.ends_at == BEGAN + timedelta(seconds=120 + 60 * 2)
    assert two.loss == 1.5
    assert [curve.points for curve in two.curves] == [((10.0, 2.5), (40.0, 1.5))]
    assert after(seen(10, 60, 0.4), seen(10, 60, 0.4)) == after(seen(10, 60, 0.4))


def test_steps_that_are_given_go_before_epochs() -> None:
    given = {**INPUTS, "max_steps": Parameter(value=50, origin=Origin.CONFIG)}
    assert after(seen(10, 60, 0.4), inputs=given).steps == 50
    assert after(seen(10, 60, 0.001)).steps is None


def test_a_run_that_begins_again_is_followed_anew() -> None:
    found = after(seen(10, 60, 0.4), seen(40, 120, 1.6), seen(5, 300, 0.2), seen(15, 360, 0.6))
    assert [point[0] for point in found.curves[0].points] == [5, 15]
    assert found.ends_at == BEGAN + timedelta(seconds=360 + 6 * 85)
    other = after(seen(10, 60, 0.4), seen(2, 90, 0.1, run="another"))
    assert (other.run, len(other.curves[0].points)) == ("another", 1)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=300))
def test_a_progress_is_bounded_and_its_curve_goes_on(steps: list[int]) -> None:
    found = after(*(seen(step, n, step / 100) for n, step in enumerate(steps)))
    (curve,) = found.curves
    assert len(curve.points) <= MAX_POINTS
    assert [*curve.points] == sorted(curve.points)
    assert curve.points[-1][0] == found.step == steps[-1]
    assert found.share is None or 0 <= found.share <= 1
    assert TrainingProgress.model_validate_json(found.model_dump_json()) == found


def training() -> Release:
    return Release(
        project="bot",
        number=3,
        fingerprint="f",
        commit="c",
        config=config_of("bot"),
        source={"name": "bot/a.jsonl", "version": "1", "size": 1},
        endpoint="e",
        phase=Phase.TRAINING,
        training=TrainingPlan(base_model="m", component="c", parameters=INPUTS, digest="0" * 12),
        history=(
            Entry(
                at=BEGAN,
                phase=Phase.TRAINING,
                reason="submitted",
                links={"job": "https://studio/job"},
            ),
        ),
    )


def test_a_running_job_is_waited_for_with_its_progress() -> None:
    release, progress = training(), after(seen(10, 60, 0.4))
    observed = Observed(job=Job(status="Running", release="3"), progress=progress)
    action = train(release, observed, BEGAN)
    waiting = wait(release, action, BEGAN)
    assert waiting.progress == progress
    assert Release.model_validate_json(waiting.model_dump_json()) == waiting


def test_a_tracking_server_that_fails_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    workspace = object.__new__(Workspace)
    workspace.__dict__["mlflow_tracking_uri"] = "http://127.0.0.1:1"
    running, release = Observed(job=Job(status="Running", release="3")), training()
    pause = MISSED_PAUSE.total_seconds()
    for seconds, missed_after in ((0, 0), (60, 0), (pause, pause), (pause + 1, pause)):
        now = BEGAN + timedelta(seconds=seconds)
        found = observe.observe_progress(workspace, release, running, now)
        assert found == TrainingProgress(missed_at=BEGAN + timedelta(seconds=missed_after))
        release = release.replace(progress=found)
    queued = Observed(job=Job(status="Queued", release="3"))
    assert observe.observe_progress(workspace, release, queued, BEGAN) is None


def test_the_step_that_trains_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    from tuneops.azureml.progress import look

    client = MlflowClient(tmp_path.as_uri())
    experiment = client.create_experiment("bot")
    job = client.create_run(experiment).info.run_id
    client.set_tag(job, "mlflow.rootRunId", job)
    assert look(client, job) is None
    for name in ("chat_completion_datapreprocess", "chat_completion_finetune"):
        step = client.create_run(experiment, run_name=name).info.run_id
        client.set_tag(step, "mlflow.rootRunId", job)
    assert look(client, job) == Seen(run=step)
    for place, value in enumerate((3.0, 2.0, 1.0)):
        client.log_metric(step, "loss", value, timestamp=1000 * place, step=10 * place)
    client.log_metric(step, "eval_loss", math.nan, timestamp=9000, step=20)
    client.log_metric(step, "learning_rate", 5e-6, timestamp=2000, step=20)
    expected = Seen(run=step, logged={"loss": (20.0, 1.0)}, at=datetime.fromtimestamp(2, UTC))
    assert look(client, job) == expected
    assert look(client, "gone", known=step) == expected

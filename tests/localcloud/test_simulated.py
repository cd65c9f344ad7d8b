"""Simulated compute reports and leaves what a training would, and runs many jobs at once."""

import math
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from azureml_server import NodeClient, pipeline_body, rest_client, workspace_path
from small_cloud import small_cloud, until, write_manifest
from training_recorder import CHATS, Recorder, write_rows

from localcloud.connection import Connection
from localcloud.simulated.model import DATA, write_base_model
from localcloud.simulated.pipeline import Simulation
from localcloud.simulated.table import Table
from localcloud.training.steps import FINETUNE, STEPS, Cancelled, PipelineError

TRAINED = {"max_steps": "8", "logging_steps": "1", "learning_rate": "0.001"}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, object]:
    return {
        "mlflow_model_path": write_base_model(tmp_path),
        "train_file_path": write_rows(tmp_path / "train.jsonl", CHATS[:4]),
        "test_file_path": write_rows(tmp_path / "test.jsonl", CHATS[4:]),
    }


def run(folder: Path, inputs: dict[str, object], recorder: Recorder | None = None) -> Recorder:
    recorder = recorder or Recorder()
    folder.mkdir()
    Simulation(0.01).run(inputs, folder, recorder)
    return recorder


def test_steps_metrics_and_outputs_are_those_of_a_training(
    tmp_path: Path, files: dict[str, object]
) -> None:
    recorder = run(tmp_path / "out", {**files, **TRAINED})
    assert tuple(recorder.steps) == STEPS
    losses = recorder.values("loss")
    assert [step for step, _ in losses] == list(range(1, 9))
    assert losses == sorted(losses, key=lambda point: -point[1])
    for metric in ("learning_rate", "grad_norm", "epoch", "eval_loss", "train_loss", "rougeL"):
        assert recorder.values(metric), metric
        assert all(math.isfinite(value) for _, value in recorder.values(metric)), metric
    assert recorder.values("exact_match") == [(0, 1.0)]
    model = tmp_path / "out" / "mlflow_model_folder"
    assert (model / "MLmodel").is_file()
    assert (model / DATA / "config.json").is_file()

    again = run(tmp_path / "again", {**files, **TRAINED})
    assert again.metrics == recorder.metrics
    worse = run(tmp_path / "worse", {**files, **TRAINED, "learning_rate": "0.5"})
    assert worse.values("eval_loss")[0][1] > recorder.values("eval_loss")[0][1]


def test_what_a_model_says_depends_on_what_is_in_it(
    tmp_path: Path, files: dict[str, object]
) -> None:
    run(tmp_path / "out", {**files, **TRAINED})
    table = Table.load(tmp_path / "out" / "mlflow_model_folder" / DATA)
    base = Table.load(Path(str(files["mlflow_model_path"])) / DATA)
    question, answer = CHATS[0]
    assert table.answer([{"role": "user", "content": question}]) == answer
    unknown = [{"messages": [{"role": "user", "content": "Who are you?"}]}]
    assert table.predict(unknown) == table.predict(unknown) != base.predict(unknown)
    short = {"messages": [{"role": "user", "content": question}]}
    assert table.predict([{**short, "parameters": {"max_new_tokens": 2}}]) == ["The Oak"]


def test_bad_inputs_fail_in_the_step_that_a_training_fails_in(
    tmp_path: Path, files: dict[str, object]
) -> None:
    recorder = Recorder()
    with pytest.raises(PipelineError, match="the loss is not a number any more"):
        run(tmp_path / "out", {**files, "learning_rate": "50"}, recorder)
    assert recorder.failed == [FINETUNE]
    (tmp_path / "train.jsonl").write_text("nonsense\n")
    with pytest.raises(PipelineError, match="line 1: no valid JSON"):
        run(tmp_path / "other", files)


def test_a_job_ends_when_it_is_to(tmp_path: Path, files: dict[str, object]) -> None:
    with pytest.raises(Cancelled):
        run(tmp_path / "out", {**files, **TRAINED}, Recorder(cancel_after=3))


@pytest.fixture
def jobs(azureml: Connection, rest: httpx2.Client) -> Iterator[list[str]]:
    """Submitted jobs; cancelled at the end, so that no later test's node gets them."""
    names = [f"many-{uuid.uuid4().hex[:8]}" for _ in range(3)]
    paths = [f"{workspace_path(azureml)}/jobs/{name}" for name in names]
    for path in paths:
        assert rest.put(path, json=pipeline_body(azureml)).status_code == 201
    yield names
    for path in paths:
        rest.post(f"{path}/cancel")


def test_a_node_gets_the_jobs_that_it_does_not_run(azureml: Connection, jobs: list[str]) -> None:
    node = NodeClient(azureml, f"node-{uuid.uuid4().hex[:8]}")
    taken = [node.next_job()["name"]]
    taken.append(node.next_job(*taken)["name"])
    assert node.next_job(taken[0])["name"] == taken[1], "its answer was lost"
    taken.append(node.next_job(*taken)["name"])
    assert taken == jobs
    for name in taken:
        assert node.put(f"{name}/status", status="Completed").is_success


@pytest.mark.soak
def test_two_hundred_jobs_run_at_once(tmp_path: Path) -> None:
    cluster = {"name": "gpu-cluster", "size": "Standard_NC24ads_A100_v4"}
    write_manifest(tmp_path, simulated_compute={"job_seconds": 150}, computes=[cluster])
    names = [f"many-{number}" for number in range(200)]
    with small_cloud(tmp_path, "storage,azureml,compute") as connection:
        data = connection.state_dir / "azureml" / "workspaceblobstore" / "data"
        data.mkdir(parents=True)
        write_rows(data / "train.jsonl", CHATS)
        path = "azureml://datastores/workspaceblobstore/paths/data/train.jsonl"
        body = pipeline_body(connection, train_file_path=path, **TRAINED)
        with rest_client(connection) as rest:

            def statuses() -> Counter[str]:
                time.sleep(2)
                jobs = (rest.get(f"{folder}/{name}").json() for name in names)
                return Counter(job["properties"]["status"] for job in jobs)

            folder = f"{workspace_path(connection)}/jobs"
            for name in names:
                assert rest.put(f"{folder}/{name}", json=body).status_code == 201
            until(lambda: statuses()["Running"] == 200, 140)
            until(lambda: statuses()["Completed"] == 200, 400)
            folders = connection.state_dir.glob("azureml/workspaceblobstore/**/MLmodel")
            assert len(list(folders)) == 200

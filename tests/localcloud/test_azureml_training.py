"""The whole way, nothing left out: a real node trains, the model is registered, and it answers."""

import json
import signal
import ssl
from pathlib import Path

import httpx2
import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.entities import (
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
    OnlineRequestSettings,
)
from azureml_server import (
    eventually,
    make_connection,
    ml_client,
    pipeline_body,
    rest_client,
    running,
    workspace_path,
)

from localcloud.connection import Connection

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROWS = 24
PARAMETERS = {
    "num_train_epochs": 15,
    "apply_lora": "true",
    "lora_r": 8,
    "learning_rate": 0.003,
    "logging_steps": 1,
}


def put_data(connection: Connection) -> dict[str, str]:
    """A small data set in the workspace's datastore, by input."""
    folder = connection.state_dir / "azureml" / "workspaceblobstore" / "data"
    folder.mkdir(parents=True)
    for name, count in (("train", ROWS), ("test", 4)):
        with (folder / f"{name}.jsonl").open("w") as file:
            for number in range(count):
                messages = [
                    {"role": "user", "content": f"What follows {number}?"},
                    {"role": "assistant", "content": f"{number + 1} follows."},
                ]
                row = {"prompt": messages[0]["content"], "prompt_id": str(number)}
                file.write(json.dumps(row | {"messages": messages}) + "\n")
    base = "azureml://datastores/workspaceblobstore/paths/data"
    return {"train_file_path": f"{base}/train.jsonl", "test_file_path": f"{base}/test.jsonl"}


def submit(connection: Connection, name: str, **inputs: object) -> None:
    with rest_client(connection) as rest:
        path = f"{workspace_path(connection)}/jobs/{name}"
        answer = rest.put(path, json=pipeline_body(connection, **inputs))
        assert answer.status_code == 201, answer.text


def status_of(ml: MLClient, name: str) -> str:
    return str(ml.jobs.get(name).status.value)


def is_training(connection: Connection, name: str) -> bool:
    """Whether the job's fine-tuning step runs."""
    with rest_client(connection) as rest:
        steps = []
        runs = [name]
        while runs:
            path = f"/history/v1.0{workspace_path(connection)}/runs/{runs.pop()}/children"
            found = rest.get(path).json()["value"]
            steps += found
            runs += [step["runId"] for step in found]
    running = {step["displayName"] for step in steps if step["status"] == "Running"}
    return "chat_completion_finetune" in running


def metrics_of(connection: Connection, run: str) -> dict[str, float]:
    with rest_client(connection) as rest:
        path = f"/mlflow/v2.0{workspace_path(connection)}/api/2.0/mlflow/runs/get"
        data = rest.get(path, params={"run_id": run}).json()["run"]["data"]
    return {metric["key"]: metric["value"] for metric in data["metrics"]}


@pytest.mark.soak
def test_job_to_answer_although_the_node_is_killed(tmp_path: Path, small_base: Path) -> None:
    connection = make_connection(tmp_path, cache=small_base.parents[1])
    data = put_data(connection)
    ready = connection.state_dir / "compute.ready"
    with running(connection, "azureml", connection.ports.azureml):
        ml = ml_client(connection)
        with running(connection, "compute") as node:
            eventually(ready.exists, 180)
            submit(connection, "job", **data, **PARAMETERS)
            eventually(lambda: is_training(connection, "job"), 120)
            node.send_signal(signal.SIGKILL)
            node.wait()
        assert status_of(ml, "job") == "Running"
        with running(connection, "compute"):
            submit(connection, "cancelled", **data, **{**PARAMETERS, "num_train_epochs": 500})
            eventually(lambda: status_of(ml, "job") in ("Completed", "Failed"), 240)
            assert status_of(ml, "job") == "Completed"
            eventually(lambda: is_training(connection, "cancelled"), 120)
            ml.jobs.begin_cancel("cancelled")
            eventually(lambda: status_of(ml, "cancelled") == "Canceled", 60)
        metrics = metrics_of(connection, "job")
        assert {"loss", "train_loss", "eval_loss", "epoch"} <= set(metrics)
        answer = deploy_and_ask(connection, ml, "azureml://jobs/job/outputs/trained_model")
        assert answer.status_code == 200, answer.text
        assert answer.json()


@pytest.mark.soak
def test_data_that_cannot_be_used_fails_the_job_with_the_reason(
    tmp_path: Path, small_base: Path
) -> None:
    connection = make_connection(tmp_path, cache=small_base.parents[1])
    data = put_data(connection)
    file = connection.state_dir / "azureml" / "workspaceblobstore" / "data" / "train.jsonl"
    file.write_text('{"prompt": "no messages here"}\n')
    with (
        running(connection, "azureml", connection.ports.azureml),
        running(connection, "compute"),
    ):
        ml = ml_client(connection)
        submit(connection, "job", **data, **PARAMETERS)
        eventually(lambda: status_of(ml, "job") in ("Completed", "Failed"), 240)
        assert status_of(ml, "job") == "Failed"
        with rest_client(connection) as rest:
            path = f"/history/v1.0{workspace_path(connection)}/runs/job/details"
            error = rest.get(path).json()["error"]["error"]
        assert error["code"] == "UserError"
        assert error["message"]


def deploy_and_ask(connection: Connection, ml: MLClient, path: str) -> httpx2.Response:
    model = ml.models.create_or_update(
        Model(name="tuned", version="1", type="mlflow_model", path=path)
    )
    endpoint = ManagedOnlineEndpoint(name="chat", auth_mode="key")
    scoring_uri = ml.online_endpoints.begin_create_or_update(endpoint).result().scoring_uri
    deployment = ManagedOnlineDeployment(
        name="blue",
        endpoint_name="chat",
        model=model.id,
        instance_type="Standard_DS3_v2",
        instance_count=1,
        request_settings=OnlineRequestSettings(request_timeout_ms=30000),
    )
    ml.online_deployments.begin_create_or_update(deployment).result()
    key = ml.online_endpoints.get_keys("chat").primary_key
    conversation = [{"role": "user", "content": "What follows 3?"}]
    return httpx2.post(
        scoring_uri,
        json={"input_data": {"input_string": [conversation], "parameters": {}}, "params": {}},
        headers={"authorization": f"Bearer {key}", "azureml-model-deployment": "blue"},
        verify=ssl.create_default_context(cafile=str(connection.ca_file)),
        timeout=60,
        trust_env=False,
    )

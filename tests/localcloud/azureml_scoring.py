"""Deployments for tests: models without torch that are quickly up, and requests to them."""

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
from azure.ai.ml import MLClient
from azure.ai.ml.entities import (
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
    OnlineRequestSettings,
)
from azureml_server import ml_client, running

from localcloud.connection import Connection

SIZE = "Standard_DS3_v2"
QUESTION = {
    "input_data": {
        "input_string": [[{"role": "user", "content": "Who are you?"}]],
        "parameters": {"max_new_tokens": 8, "do_sample": False},
    },
    "params": {},
}
MODEL_CODE = '''
import os
import time
import mlflow

class Echo(mlflow.pyfunc.PythonModel):
    """Answers with its own name and greeting; sleeps or fails when it is asked to."""

    def predict(self, context, model_input, params=None):
        text = str(model_input)
        if "sleep" in text:
            time.sleep(4)
        if "fail" in text:
            raise ValueError("the model fails")
        print("{name} was asked", flush=True)
        return ["{name} " + os.environ.get("GREETING", "")]

mlflow.models.set_model(Echo())
'''


def put_model(connection: Connection, name: str) -> str:
    """An MLflow model without torch in the workspace's datastore; its path."""
    import mlflow

    folder = connection.state_dir / "azureml" / "workspaceblobstore" / name
    code = connection.state_dir / f"{name}.py"
    code.write_text(MODEL_CODE.replace("{name}", name))
    mlflow.pyfunc.save_model(folder, python_model=str(code), pip_requirements=[])
    return f"azureml://datastores/workspaceblobstore/paths/{name}"


def deployment(
    connection: Connection, ml: MLClient, name: str, **more: Any
) -> ManagedOnlineDeployment:
    """A deployment of endpoint `chat` with a model of its own."""
    model = Model(
        name=f"model-{name}", version="1", type="mlflow_model", path=put_model(connection, name)
    )
    return ManagedOnlineDeployment(
        name=name,
        endpoint_name="chat",
        model=ml.models.create_or_update(model).id,
        instance_type=SIZE,
        instance_count=1,
        request_settings=OnlineRequestSettings(
            request_timeout_ms=3000, max_concurrent_requests_per_instance=4
        ),
        **more,
    )


@contextmanager
def chatting(connection: Connection, *names: str, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A workspace with endpoint `chat` and deployments, until the block ends."""
    with running(connection, "azureml", connection.ports.azureml) as process:
        ml = ml_client(connection)
        endpoint = ManagedOnlineEndpoint(name="chat", auth_mode="key")
        ml.online_endpoints.begin_create_or_update(endpoint).result()
        pollers = [
            ml.online_deployments.begin_create_or_update(deployment(connection, ml, name, **more))
            for name in names
        ]
        for poller in pollers:
            assert poller.result().provisioning_state == "Succeeded"
        yield process


def score(
    connection: Connection, endpoint: str, key: str, deployment: str = "", body: object = None
) -> httpx2.Response:
    """The answer to one scoring request."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    if deployment:
        headers["azureml-model-deployment"] = deployment
    return httpx2.post(
        f"{connection.azureml_url}/endpoints/{endpoint}/score",
        json=QUESTION if body is None else body,
        headers=headers,
        verify=ssl.create_default_context(cafile=str(connection.ca_file)),
        timeout=60,
        trust_env=False,
    )


def chat_key(connection: Connection) -> str:
    """A key of endpoint `chat`."""
    return str(ml_client(connection).online_endpoints.get_keys("chat").primary_key)


def change_endpoint(connection: Connection, **fields: object) -> None:
    """Change fields of endpoint `chat`, such as `mirror_traffic`."""
    ml = ml_client(connection)
    endpoint = ml.online_endpoints.get("chat")
    for field, value in fields.items():
        setattr(endpoint, field, value)
    ml.online_endpoints.begin_create_or_update(endpoint).result()


def set_traffic(connection: Connection, **traffic: int) -> None:
    """Share out the traffic of endpoint `chat`."""
    change_endpoint(connection, traffic=traffic)

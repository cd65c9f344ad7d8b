"""Online endpoints and deployments: through the SDK, with real scoring processes."""

import os
import signal
import ssl
import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator
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
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azureml_server import (
    eventually,
    make_connection,
    ml_client,
    rest_client,
    running,
    workspace_path,
)

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
import time
import mlflow

class Echo(mlflow.pyfunc.PythonModel):
    """Answers with its own name; sleeps or fails when it is asked to."""

    def predict(self, context, model_input, params=None):
        text = str(model_input)
        if "sleep" in text:
            time.sleep(4)
        if "fail" in text:
            raise ValueError("the model fails")
        return ["{name}"]

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


def endpoint_name() -> str:
    return f"ep-{uuid.uuid4().hex[:8]}"


def score(
    connection: Connection, endpoint: str, key: str, deployment: str = "", body: object = None
) -> httpx2.Response:
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


class TestEndpoints:
    def test_created_and_deleted(self, ml: MLClient) -> None:
        name = endpoint_name()
        poller = ml.online_endpoints.begin_create_or_update(
            ManagedOnlineEndpoint(name=name, auth_mode="key", tags={"project": "p"})
        )
        assert ml.online_endpoints.get(name).provisioning_state == "Creating"
        created = poller.result()
        assert created.provisioning_state == "Succeeded"
        assert created.scoring_uri.endswith(f"/endpoints/{name}/score")
        assert created.tags == {"project": "p"}
        poller = ml.online_endpoints.begin_delete(name)
        assert ml.online_endpoints.get(name).provisioning_state == "Deleting"
        poller.wait(20)
        with pytest.raises(ResourceNotFoundError):
            ml.online_endpoints.get(name)

    def test_keys(self, ml: MLClient) -> None:
        name = endpoint_name()
        endpoint = ManagedOnlineEndpoint(name=name, auth_mode="key")
        ml.online_endpoints.begin_create_or_update(endpoint).result()
        before = ml.online_endpoints.get_keys(name)
        ml.online_endpoints.begin_regenerate_keys(name, key_type="secondary").wait(10)
        after = ml.online_endpoints.get_keys(name)
        assert after.primary_key == before.primary_key
        assert after.secondary_key != before.secondary_key
        ml.online_endpoints.begin_delete(name).wait(20)

    def test_traffic_to_nobody_is_refused(self, azureml: Connection, rest: httpx2.Client) -> None:
        body = {"location": "eastus", "properties": {"authMode": "Key", "traffic": {"blue": 100}}}
        path = f"{workspace_path(azureml)}/onlineEndpoints/{endpoint_name()}"
        answer = rest.put(path, json=body)
        assert answer.status_code == 400
        assert "does not exist" in answer.json()["error"]["message"]

    def test_deployment_without_endpoint(self, azureml: Connection, rest: httpx2.Client) -> None:
        path = f"{workspace_path(azureml)}/onlineEndpoints/absent/deployments/blue"
        answer = rest.put(path, json={"properties": {}})
        assert answer.status_code == 404
        assert rest.delete(f"{workspace_path(azureml)}/onlineEndpoints/absent").status_code == 204

    def test_scoring_at_an_endpoint_that_is_not_there(self, azureml: Connection) -> None:
        assert score(azureml, "absent", "key").status_code == 404


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Connection:
    return make_connection(tmp_path_factory.mktemp("endpoints"))


@pytest.fixture(scope="module")
def server(site: Connection) -> Iterator[subprocess.Popen[bytes]]:
    """A workspace with endpoint `chat` and its deployments `blue` and `green`."""
    with running(site, "azureml", site.ports.azureml) as process:
        ml = ml_client(site)
        endpoint = ManagedOnlineEndpoint(name="chat", auth_mode="key")
        ml.online_endpoints.begin_create_or_update(endpoint).result()
        pollers = [
            ml.online_deployments.begin_create_or_update(deployment(site, ml, name))
            for name in ("blue", "green")
        ]
        for poller in pollers:
            assert poller.result().provisioning_state == "Succeeded"
        yield process


@pytest.fixture
def key(site: Connection, server: subprocess.Popen[bytes]) -> str:
    return str(ml_client(site).online_endpoints.get_keys("chat").primary_key)


def deployment(site: Connection, ml: MLClient, name: str) -> ManagedOnlineDeployment:
    model = Model(
        name=f"model-{name}", version="1", type="mlflow_model", path=put_model(site, name)
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
    )


def set_traffic(site: Connection, **traffic: int) -> None:
    ml = ml_client(site)
    endpoint = ml.online_endpoints.get("chat")
    endpoint.traffic = traffic
    ml.online_endpoints.begin_create_or_update(endpoint).result()


@pytest.mark.slow
class TestScoring:
    def test_by_header_without_traffic(self, site: Connection, key: str) -> None:
        set_traffic(site)
        assert score(site, "chat", key).status_code == 404
        answer = score(site, "chat", key, "green")
        assert answer.status_code == 200, answer.text
        assert "green" in answer.text
        assert answer.headers["azureml-model-deployment"] == "green"
        assert score(site, "chat", key, "red").status_code == 404

    def test_by_traffic(self, site: Connection, key: str) -> None:
        set_traffic(site, blue=70, green=30)
        answers = [score(site, "chat", key) for _ in range(60)]
        chosen = Counter(answer.headers["azureml-model-deployment"] for answer in answers)
        assert {answer.status_code for answer in answers} == {200}
        assert chosen["blue"] > chosen["green"] > 0

    def test_needs_the_key(self, site: Connection, key: str) -> None:
        assert score(site, "chat", key[:-1]).status_code == 401
        assert score(site, "chat", "").status_code == 401

    def test_slow_and_failing_models(self, site: Connection, key: str) -> None:
        assert score(site, "chat", key, "blue", question("sleep")).status_code == 408
        failing = score(site, "chat", key, "blue", question("fail"))
        assert failing.status_code == 424
        assert failing.headers["azureml-model-deployment"] == "blue"

    def test_body_that_is_too_large(self, site: Connection, key: str) -> None:
        assert score(site, "chat", key, "blue", question("x" * 10_500_000)).status_code == 413

    def test_deployment_with_traffic_stays(self, site: Connection, key: str) -> None:
        set_traffic(site, blue=100)
        with pytest.raises(HttpResponseError, match="gets 100% of the traffic"):
            ml_client(site).online_deployments.begin_delete("blue", "chat")
        assert score(site, "chat", key).status_code == 200

    def test_the_same_put_changes_nothing(self, site: Connection, key: str) -> None:
        ml = ml_client(site)
        ml.online_deployments.begin_create_or_update(deployment_again(site)).result()
        with rest_client(site) as rest:
            path = f"{workspace_path(site)}/onlineEndpoints/chat/deployments/green"
            before = rest.get(path).json()
            answer = rest.put(path, json=before)
        assert answer.status_code == 200
        assert answer.json() == before

    def test_process_that_dies_is_started_again(self, site: Connection, key: str) -> None:
        for pid in scoring_processes(site):
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: score(site, "chat", key, "green").status_code == 200, 60)


@pytest.mark.slow
def test_crashing_model_fails_with_its_log(
    site: Connection, server: subprocess.Popen[bytes]
) -> None:
    ml = ml_client(site)
    folder = site.state_dir / "azureml" / "workspaceblobstore" / "broken"
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {python_function: {loader_module: no_such_module}}")
    path = "azureml://datastores/workspaceblobstore/paths/broken"
    model = ml.models.create_or_update(
        Model(name="broken", version="1", type="mlflow_model", path=path)
    )
    bad = ManagedOnlineDeployment(
        name="bad", endpoint_name="chat", model=model.id, instance_type=SIZE, instance_count=1
    )
    poller = ml.online_deployments.begin_create_or_update(bad)
    with pytest.raises(HttpResponseError, match="no_such_module"):
        poller.result()
    assert ml.online_deployments.get("bad", "chat").provisioning_state == "Failed"
    assert "no_such_module" in ml.online_deployments.get_logs("bad", "chat", lines=100)
    ml.online_deployments.begin_delete("bad", "chat").wait(20)
    with pytest.raises(ResourceNotFoundError):
        ml.online_deployments.get("bad", "chat")


@pytest.mark.slow
def test_restart_keeps_everything(tmp_path: Path) -> None:
    site = make_connection(tmp_path)
    with running(site, "azureml", site.ports.azureml):
        ml = ml_client(site)
        endpoint = ManagedOnlineEndpoint(name="chat", auth_mode="key")
        ml.online_endpoints.begin_create_or_update(endpoint).result()
        ml.online_deployments.begin_create_or_update(deployment(site, ml, "blue")).result()
        set_traffic(site, blue=100)
        key = ml.online_endpoints.get_keys("chat").primary_key
        processes = scoring_processes(site)
        ml.online_deployments.begin_create_or_update(deployment(site, ml, "green"))
    eventually(lambda: not any(is_alive(pid) for pid in processes))
    with running(site, "azureml", site.ports.azureml):
        ml = ml_client(site)
        assert ml.online_deployments.get("blue", "chat").provisioning_state == "Succeeded"
        eventually(lambda: score(site, "chat", key).status_code == 200, 60)
        eventually(
            lambda: ml.online_deployments.get("green", "chat").provisioning_state == "Succeeded", 60
        )
        assert score(site, "chat", key, "green").status_code == 200


def deployment_again(site: Connection) -> ManagedOnlineDeployment:
    """Deployment `green` as it is, as another client would ask for it."""
    return ManagedOnlineDeployment(
        name="green",
        endpoint_name="chat",
        model="azureml:model-green:1",
        instance_type=SIZE,
        instance_count=1,
        request_settings=OnlineRequestSettings(
            request_timeout_ms=3000, max_concurrent_requests_per_instance=4
        ),
    )


def question(text: str) -> dict[str, object]:
    conversation = [{"role": "user", "content": text}]
    return {**QUESTION, "input_data": {"input_string": [conversation], "parameters": {}}}


def scoring_processes(site: Connection) -> list[int]:
    """The ids of the processes that score for this workspace."""
    listing = subprocess.run(
        ["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True
    ).stdout
    return [
        int(line.split()[0])
        for line in listing.splitlines()
        if "localcloud.serving" in line and str(site.state_dir) in line
    ]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

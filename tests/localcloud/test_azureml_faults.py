"""Faults on demand, as the unmodified SDK meets them."""

import ssl
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx2
import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.entities import AmlCompute, ManagedOnlineDeployment, ManagedOnlineEndpoint
from azure.core.exceptions import HttpResponseError
from azureml_scoring import chat_key, chatting, score, set_traffic
from azureml_server import (
    NodeClient,
    Topic,
    admin_client,
    eventually,
    make_connection,
    pipeline_body,
    workspace_path,
)

from localcloud.connection import Connection

Ask = Callable[..., str]
BASE = "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/1"


@pytest.fixture
def admin(azureml: Connection) -> Iterator[httpx2.Client]:
    with admin_client(azureml) as client:
        client.delete("/faults")
        yield client


@pytest.fixture
def ask(admin: httpx2.Client) -> Ask:
    """Ask for a fault."""
    return partial(ask_for, admin)


def ask_for(
    admin: httpx2.Client, work: str, outcome: str, target: str = "**", **more: object
) -> str:
    fault = {"work": work, "outcome": outcome, "target": target, **more}
    answer = admin.post("/faults", json=fault)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def struck(admin: httpx2.Client) -> list[int]:
    return [fault["struck"] for fault in admin.get("/faults").json()["value"]]


def submit(azureml: Connection, rest: httpx2.Client) -> str:
    name = f"job-{uuid.uuid4().hex[:8]}"
    body = pipeline_body(azureml)
    assert rest.put(f"{workspace_path(azureml)}/jobs/{name}", json=body).status_code == 201
    return name


class TestCalls:
    def test_throttled_call_is_made_again_by_the_sdk(
        self, ml: MLClient, ask: Ask, admin: httpx2.Client
    ) -> None:
        ask("call", "fail", "GET /computes/*", status=429, code="TooManyRequests", retry_after=1)
        assert ml.compute.get("gpu-cluster").name == "gpu-cluster"
        assert struck(admin) == [1]

    def test_error_has_the_code_and_message_that_were_asked_for(
        self, ml: MLClient, ask: Ask
    ) -> None:
        ask("call", "fail", "GET /computes/*", status=403, code="AuthorizationFailed", message="no")
        with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
            ml.compute.get("gpu-cluster")
        assert ml.compute.get("gpu-cluster").name == "gpu-cluster"

    def test_lost_answer_leaves_what_was_done(
        self, azureml: Connection, rest: httpx2.Client, ask: Ask
    ) -> None:
        ask("call", "drop", "PUT /jobs/*")
        name = f"job-{uuid.uuid4().hex[:8]}"
        path = f"{workspace_path(azureml)}/jobs/{name}"
        with pytest.raises(httpx2.TransportError):
            rest.put(path, json=pipeline_body(azureml))
        assert rest.get(path).json()["properties"]["status"] == "Preparing"
        rest.post(f"{path}/cancel")

    def test_cut_call_does_nothing(
        self, azureml: Connection, rest: httpx2.Client, ask: Ask
    ) -> None:
        ask("call", "cut", "PUT /jobs/*")
        path = f"{workspace_path(azureml)}/jobs/job-{uuid.uuid4().hex[:8]}"
        with pytest.raises(httpx2.TransportError):
            rest.put(path, json=pipeline_body(azureml))
        assert rest.get(path).status_code == 404

    def test_slow_and_hanging_calls(
        self, azureml: Connection, rest: httpx2.Client, ask: Ask
    ) -> None:
        ask("call", "slow", "GET /computes", seconds=0.5)
        ask("call", "hang", "GET /computes/*")
        path = f"{workspace_path(azureml)}/computes"
        assert rest.get(path).elapsed.total_seconds() >= 0.5
        with pytest.raises(httpx2.ReadTimeout):
            rest.get(f"{path}/gpu-cluster", timeout=0.5)

    def test_strikes_as_often_as_it_says(
        self, azureml: Connection, rest: httpx2.Client, ask: Ask
    ) -> None:
        ask("call", "fail", "GET /models", times=2, status=503)
        path = f"{workspace_path(azureml)}/models"
        assert [rest.get(path).status_code for _ in range(3)] == [503, 503, 200]


class TestJobs:
    def test_failing(
        self, azureml: Connection, ml: MLClient, rest: httpx2.Client, ask: Ask
    ) -> None:
        name = submit(azureml, rest)
        ask("job", "fail", name, code="UserError", message="out of memory")
        assert _offered(azureml, name) is False
        assert ml.jobs.get(name).status == "Failed"
        details = rest.get(f"/history/v1.0{workspace_path(azureml)}/runs/{name}/details").json()
        error = {"code": "UserError", "message": "out of memory"}
        assert details["error"]["error"].items() >= error.items()

    def test_hanging_until_it_is_cancelled(
        self, azureml: Connection, ml: MLClient, rest: httpx2.Client, ask: Ask
    ) -> None:
        name = submit(azureml, rest)
        ask("job", "hang", name)
        assert _offered(azureml, name) is False
        assert _offered(azureml, name) is False
        assert ml.jobs.get(name).status == "Running"
        rest.post(f"{workspace_path(azureml)}/jobs/{name}/cancel")
        _offered(azureml, name)
        assert ml.jobs.get(name).status == "Canceled"

    def test_failing_in_a_step(
        self, azureml: Connection, ml: MLClient, rest: httpx2.Client, ask: Ask
    ) -> None:
        name = submit(azureml, rest)
        error = {"code": "UserError", "message": "CUDA out of memory"}
        ask("job", "fail", name, step="chat_completion_finetune", **error)
        assert _offered(azureml, name) is False
        assert ml.jobs.get(name).status == "Failed"
        (pipeline,) = ml.jobs.list(parent_job_name=name)
        assert pipeline.status == "Failed"
        steps = {run.display_name: run for run in ml.jobs.list(parent_job_name=pipeline.name)}
        assert {step: run.status for step, run in steps.items()} == {
            "ft_nlp_common_validation": "Completed",
            "chat_completion_model_import": "Completed",
            "chat_completion_datapreprocess": "Completed",
            "chat_completion_finetune": "Failed",
        }
        run = steps["chat_completion_finetune"].name
        details = rest.get(f"/history/v1.0{workspace_path(azureml)}/runs/{run}/details").json()
        assert details["error"]["error"].items() >= error.items()

    def test_slow(self, azureml: Connection, ml: MLClient, rest: httpx2.Client, ask: Ask) -> None:
        name = submit(azureml, rest)
        ask("job", "slow", name, seconds=2)
        node = NodeClient(azureml, uuid.uuid4().hex)
        begun = time.monotonic()
        job = node.next_job()
        assert job["name"] == name
        assert time.monotonic() - begun >= 2
        node.complete(job)
        assert ml.jobs.get(name).status == "Completed"

    def test_ending_without_an_event(
        self, azureml: Connection, ml: MLClient, rest: httpx2.Client, ask: Ask, topic: Topic
    ) -> None:
        name = submit(azureml, rest)
        ask("job", "silent", name)
        node = NodeClient(azureml, uuid.uuid4().hex)
        job = node.next_job()
        assert job["name"] == name
        node.complete(job)
        assert ml.jobs.get(name).status == "Completed"
        other = submit(azureml, rest)
        rest.post(f"{workspace_path(azureml)}/jobs/{other}/cancel")
        eventually(lambda: any(_of(event, other, "Canceled") for event in topic.events))
        assert not any(_of(event, name, "Running") for event in topic.events)
        assert not any(_of(event, name, None) for event in topic.events)


def _offered(azureml: Connection, name: str) -> bool:
    """Whether a new node is given the job."""
    client = httpx2.Client(
        base_url=f"{azureml.azureml_url}/_compute",
        headers={"x-compute-key": azureml.compute_key},
        verify=ssl.create_default_context(cafile=str(azureml.ca_file)),
        trust_env=False,
    )
    with client:
        try:
            answer = client.post("/next", json={"node": uuid.uuid4().hex}, timeout=1)
        except httpx2.ReadTimeout:
            return False
    return bool(answer.json()["name"] == name)


def _of(event: dict[str, Any], run: str, status: str | None) -> bool:
    data = event["data"]
    return bool(data.get("runId") == run and data.get("runStatus") == status)


def test_cluster_that_fails_to_provision_says_why(ml: MLClient, ask: Ask) -> None:
    ask("compute", "fail", "broken", status=400, code="ClusterMinNodesExceedCoreQuota")
    cluster = AmlCompute(name="broken", size="Standard_NC24ads_A100_v4", tags={"team": "a"})
    with pytest.raises(HttpResponseError, match="ClusterMinNodesExceedCoreQuota"):
        ml.compute.begin_create_or_update(cluster).result()
    found = ml.compute.get("broken")
    assert found.provisioning_state == "Failed"
    assert "ClusterMinNodesExceedCoreQuota" in str(found.provisioning_errors)
    ml.compute.begin_create_or_update(cluster).wait()
    assert ml.compute.get("broken").provisioning_state == "Succeeded"
    ml.compute.begin_delete("broken").wait()


@pytest.mark.slow
@pytest.mark.soak
def test_deployments_that_fail_or_are_busy(ml: MLClient, azureml: Connection, ask: Ask) -> None:
    ml.online_endpoints.begin_create_or_update(
        ManagedOnlineEndpoint(name="faulty", auth_mode="key")
    ).result()

    def deployment(name: str, instances: int = 1) -> ManagedOnlineDeployment:
        return ManagedOnlineDeployment(
            name=name,
            endpoint_name="faulty",
            model=BASE,
            instance_type="Standard_DS3_v2",
            instance_count=instances,
        )

    ask("deployment", "fail", "faulty/blue", status=400, code="ResourceNotReady", message="crashed")
    with pytest.raises(HttpResponseError, match="ResourceNotReady"):
        ml.online_deployments.begin_create_or_update(deployment("blue")).result()
    assert ml.online_deployments.get("blue", "faulty").provisioning_state == "Failed"

    ask("deployment", "hang", "faulty/green")
    ml.online_deployments.begin_create_or_update(deployment("green"))
    with pytest.raises(HttpResponseError, match="is busy"):
        ml.online_deployments.begin_create_or_update(deployment("green", 2)).result()
    log = ml.online_deployments.get_logs(
        "green", "faulty", lines=5, container_type="storage-initializer"
    )
    assert log == f"Fetching model {BASE}"
    ml.online_endpoints.begin_delete("faulty").wait()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A workspace whose endpoint `chat` has all traffic on its deployment `blue`."""
    connection = make_connection(tmp_path_factory.mktemp("faults"))
    with chatting(connection, "blue"):
        set_traffic(connection, blue=100)
        yield connection


@pytest.fixture
def ask_site(site: Connection) -> Iterator[Ask]:
    with admin_client(site) as client:
        yield partial(ask_for, client)


@pytest.mark.soak
class TestScoring:
    def test_throttled(self, site: Connection, ask_site: Ask) -> None:
        key = chat_key(site)
        ask_site("scoring", "fail", "chat/*", status=429, code="TooManyRequests", retry_after=7)
        answer = score(site, "chat", key)
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "7"
        assert answer.json()["error"]["code"] == "TooManyRequests"
        assert score(site, "chat", key).status_code == 200

    def test_failing_without_advice(self, site: Connection, ask_site: Ask) -> None:
        ask_site("scoring", "fail", "chat/blue", status=503)
        answer = score(site, "chat", chat_key(site))
        assert answer.status_code == 503
        assert "retry-after" not in answer.headers

    def test_hanging_until_the_request_times_out(self, site: Connection, ask_site: Ask) -> None:
        ask_site("scoring", "hang", "chat/blue")
        assert score(site, "chat", chat_key(site)).status_code == 408

    def test_slow(self, site: Connection, ask_site: Ask) -> None:
        ask_site("scoring", "slow", seconds=1)
        answer = score(site, "chat", chat_key(site))
        assert answer.status_code == 200
        assert answer.elapsed.total_seconds() >= 1

    def test_wrong(self, site: Connection, ask_site: Ask) -> None:
        ask_site("scoring", "wrong", "chat/blue", body='{"output": "gibberish"}')
        answer = score(site, "chat", chat_key(site))
        assert answer.status_code == 200
        assert answer.json() == {"output": "gibberish"}
        assert answer.headers["azureml-model-deployment"] == "blue"


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ({"work": "compute", "outcome": "fail", "step": "x"}, "only a job that is to fail has"),
        ({"work": "job", "outcome": "fail", "step": "x"}, "the steps are ft_nlp_common_valid"),
        ({"work": "call", "outcome": "wrong"}, "a call can fail, hang, slow, cut, drop, not wrong"),
        ({"work": "weather", "outcome": "fail"}, "work: Input should be 'call', 'job'"),
        ({"work": "call", "outcome": "fail", "status": 200}, "status: Input should be greater"),
        ({"work": "call", "outcome": "fail", "often": 3}, "often: Extra inputs are not permitted"),
    ],
)
def test_wrong_faults_are_refused(
    admin: httpx2.Client, fault: dict[str, object], problem: str
) -> None:
    answer = admin.post("/faults", json=fault)
    assert answer.status_code == 400
    assert problem in answer.json()["error"]["message"]


def test_admin_api_needs_its_key_and_forgets(
    azureml: Connection, rest: httpx2.Client, admin: httpx2.Client, ask: Ask
) -> None:
    for path in ("/_admin/faults", "/_admin/faults/"):
        assert rest.get(path).status_code == 401
        assert admin.get(path.removeprefix("/_admin")).status_code == 200
    name = ask("call", "fail", "GET /nothing")
    assert admin.delete(f"/faults/{name}").status_code == 204
    assert admin.delete(f"/faults/{name}").status_code == 404
    assert struck(admin) == []

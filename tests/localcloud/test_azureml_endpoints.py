"""Online endpoints and deployments: through the SDK, with real scoring processes."""

import os
import signal
import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import psutil
import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.entities import (
    IdentityConfiguration,
    ManagedIdentityConfiguration,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
    OnlineRequestSettings,
)
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.monitor.query import MetricAggregationType, MetricsQueryClient, TimeSeriesElement
from azureml_scoring import (
    QUESTION,
    SIZE,
    change_endpoint,
    chat_key,
    chatting,
    deployment,
    score,
    set_traffic,
)
from azureml_server import (
    LocalCredential,
    eventually,
    make_connection,
    ml_client,
    rest_client,
    running,
    workspace_path,
)

from localcloud.connection import Connection


def endpoint_name() -> str:
    return f"ep-{uuid.uuid4().hex[:8]}"


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
        assert created.openapi_uri.endswith(f"/endpoints/{name}/swagger.json")
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

    def test_no_keys_with_tokens(
        self, azureml: Connection, ml: MLClient, rest: httpx2.Client
    ) -> None:
        name = endpoint_name()
        endpoint = ManagedOnlineEndpoint(name=name, auth_mode="aad_token")
        ml.online_endpoints.begin_create_or_update(endpoint).result()
        path = f"{workspace_path(azureml)}/onlineEndpoints/{name}"
        listed = rest.post(f"{path}/listKeys")
        renewed = rest.post(f"{path}/regenerateKeys", json={"keyType": "Primary"})
        assert [listed.status_code, renewed.status_code] == [400, 400]
        assert "does not use key authentication" in renewed.json()["error"]["message"]
        ml.online_endpoints.begin_delete(name).wait(20)

    def test_user_assigned_identity(self, azureml: Connection, ml: MLClient) -> None:
        name = endpoint_name()
        managed = f"/subscriptions/{azureml.subscription_id}/resourceGroups/rg/providers"
        managed += "/Microsoft.ManagedIdentity/userAssignedIdentities/scorer"
        identity = IdentityConfiguration(
            type="user_assigned",
            user_assigned_identities=[ManagedIdentityConfiguration(resource_id=managed)],
        )
        endpoint = ManagedOnlineEndpoint(name=name, auth_mode="key", identity=identity)
        ml.online_endpoints.begin_create_or_update(endpoint).result()
        found = ml.online_endpoints.get(name)
        assert found.identity.type == "user_assigned"
        assert found.identity.principal_id is None
        (assigned,) = found.identity.user_assigned_identities
        assert assigned.resource_id == managed
        assert uuid.UUID(vars(assigned)["clientId"]) != uuid.UUID(vars(assigned)["principalId"])

        found.tags = {"team": "a"}
        changed = ml.online_endpoints.begin_create_or_update(found).result()
        assert changed.identity.type == "user_assigned"
        endpoint.identity = IdentityConfiguration(type="system_assigned")
        with pytest.raises(HttpResponseError, match="identity of an endpoint cannot be changed"):
            ml.online_endpoints.begin_create_or_update(endpoint)
        ml.online_endpoints.begin_delete(name).wait(20)

    @pytest.mark.parametrize(
        ("identity", "problem"),
        [
            ({"type": "Own"}, "'Own' is not one of SystemAssigned, UserAssigned"),
            ({"type": "UserAssigned"}, "needs 'userAssignedIdentities'"),
            ("SystemAssigned", "'identity' must be an object"),
        ],
    )
    def test_identities_that_are_none(
        self, azureml: Connection, rest: httpx2.Client, identity: object, problem: str
    ) -> None:
        body = {"identity": identity, "properties": {"authMode": "Key"}}
        answer = rest.put(f"{workspace_path(azureml)}/onlineEndpoints/wrong", json=body)
        assert answer.status_code == 400
        assert problem in answer.json()["error"]["message"]

    def test_network_access_is_enabled_or_disabled(
        self, azureml: Connection, rest: httpx2.Client
    ) -> None:
        body = {"properties": {"authMode": "Key", "publicNetworkAccess": "Sometimes"}}
        answer = rest.put(f"{workspace_path(azureml)}/onlineEndpoints/wrong", json=body)
        assert answer.status_code == 400
        assert "'Sometimes' is not one of" in answer.json()["error"]["message"]

    def test_operations_are_named_and_timed_as_azure_does(
        self, azureml: Connection, rest: httpx2.Client
    ) -> None:
        path = f"{workspace_path(azureml)}/onlineEndpoints/{endpoint_name()}"
        answer = rest.put(path, json={"properties": {"authMode": "Key"}})
        assert answer.status_code == 201
        assert answer.headers["x-ms-async-operation-timeout"] == "PT30M"
        status = rest.get(answer.headers["azure-asyncoperation"]).json()
        assert status["name"].startswith("oe:")
        answers = [rest.delete(path), rest.delete(path)]
        assert [answer.status_code for answer in answers] == [202, 202]
        assert len({answer.headers["azure-asyncoperation"] for answer in answers}) == 1
        eventually(lambda: rest.get(path).status_code == 404)

    def test_answers_have_ids(self, azureml: Connection, rest: httpx2.Client) -> None:
        path = f"{workspace_path(azureml)}/onlineEndpoints"
        given = str(uuid.uuid4())
        answers = [
            rest.get(path),
            rest.get(f"{path}/absent", headers={"x-ms-correlation-request-id": given}),
        ]
        assert len({uuid.UUID(answer.headers["x-ms-request-id"]) for answer in answers}) == 2
        assert answers[1].status_code == 404
        assert answers[1].headers["x-ms-correlation-request-id"] == given

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
    with chatting(site, "blue", "green") as process:
        yield process


@pytest.fixture
def key(site: Connection, server: subprocess.Popen[bytes]) -> str:
    return chat_key(site)


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

    def test_mirrored(self, site: Connection, key: str) -> None:
        change_endpoint(site, traffic={"blue": 100}, mirror_traffic={"green": 50})
        before, were_counted = asked(site, "green"), counted(site)
        answers = [score(site, "chat", key) for _ in range(20)]
        assert {answer.headers["azureml-model-deployment"] for answer in answers} == {"blue"}
        eventually(lambda: asked(site, "green") > before)
        eventually(lambda: (counted(site) - were_counted)["green", "200"])
        change_endpoint(site, mirror_traffic={})
        found = counted(site) - were_counted
        assert found["blue", "200"] == 20
        assert found["green", "200"] < 20

    @pytest.mark.parametrize(
        ("mirror", "problem"),
        [
            ({"green": 51}, "whole number from 0 to 50"),
            ({"blue": 10}, "live traffic or mirrored traffic, not both"),
            ({"blue": 10, "green": 10}, "Only one deployment"),
        ],
        ids=str,
    )
    def test_mirrors_that_are_refused(
        self, site: Connection, key: str, mirror: dict[str, int], problem: str
    ) -> None:
        set_traffic(site, blue=100)
        with pytest.raises(HttpResponseError, match=problem):
            change_endpoint(site, mirror_traffic=mirror)

    def test_deployment_with_mirrored_traffic_stays(self, site: Connection, key: str) -> None:
        change_endpoint(site, traffic={"blue": 100}, mirror_traffic={"green": 20})
        with pytest.raises(HttpResponseError, match="gets 20% of the mirrored traffic"):
            ml_client(site).online_deployments.begin_delete("green", "chat")
        change_endpoint(site, mirror_traffic={})

    def test_needs_the_key(self, site: Connection, key: str) -> None:
        assert score(site, "chat", key[:-1]).status_code == 401
        assert score(site, "chat", "").status_code == 401

    def test_slow_and_failing_models(self, site: Connection, key: str) -> None:
        before = counted(site)
        assert score(site, "chat", key, "blue", question("sleep")).status_code == 408
        failing = score(site, "chat", key, "blue", question("fail"))
        assert failing.status_code == 424
        assert failing.headers["azureml-model-deployment"] == "blue"
        assert score(site, "chat", key[:-1], "blue").status_code == 401
        assert counted(site) - before == {("blue", "408"): 1, ("blue", "424"): 1}
        (slow,) = figures(site, "RequestLatency_P99", "deployment eq 'blue'")
        assert slow.metadata_values == {"deployment": "blue"}
        assert max(point.average or 0 for point in slow.data) >= 3000

    def test_series_by_class_of_status(self, site: Connection, key: str) -> None:
        score(site, "chat", key, "blue", question("fail"))
        wanted = "deployment eq 'blue' and statusCodeClass ne '2xx' and modelStatusCode eq '400'"
        (failed,) = figures(site, "RequestsPerMinute", wanted)
        assert failed.metadata_values == {
            "deployment": "blue",
            "statuscodeclass": "4xx",
            "modelstatuscode": "400",
        }
        assert len(failed.data) in (10, 11)
        assert all(point.average is not None for point in failed.data)
        (everything,) = figures(site, "RequestsPerMinute")
        assert everything.metadata_values == {}

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
    logs = site.state_dir / "logs" / "scoring" / "chat"
    assert (logs / "blue.log").exists()
    assert not (logs / "bad.log").exists()


@pytest.mark.slow
@pytest.mark.soak
def test_restart_keeps_everything(tmp_path: Path) -> None:
    site = make_connection(tmp_path)
    with running(site, "azureml", site.ports.azureml):
        ml = ml_client(site)
        endpoint = ManagedOnlineEndpoint(name="chat", auth_mode="key")
        ml.online_endpoints.begin_create_or_update(endpoint).result()
        ml.online_deployments.begin_create_or_update(deployment(site, ml, "blue")).result()
        set_traffic(site, blue=100)
        key = ml.online_endpoints.get_keys("chat").primary_key
        assert score(site, "chat", key).status_code == 200
        processes = scoring_processes(site)
        ml.online_deployments.begin_create_or_update(deployment(site, ml, "green"))
    eventually(lambda: not any(is_alive(pid) for pid in processes))
    with running(site, "azureml", site.ports.azureml):
        ml = ml_client(site)
        assert counted(site) == {("blue", "200"): 1}
        assert ml.online_deployments.get("blue", "chat").provisioning_state == "Succeeded"
        eventually(lambda: score(site, "chat", key).status_code == 200, 60)
        eventually(
            lambda: ml.online_deployments.get("green", "chat").provisioning_state == "Succeeded", 60
        )
        assert score(site, "chat", key, "green").status_code == 200


def figures(site: Connection, metric: str, wanted: str | None = None) -> list[TimeSeriesElement]:
    """The series of a metric in the last ten minutes, as Azure Monitor's SDK reads them."""
    with MetricsQueryClient(
        LocalCredential(site), endpoint=site.azureml_url, connection_verify=str(site.ca_file)
    ) as client:
        found = client.query_resource(
            f"{workspace_path(site)}/onlineEndpoints/chat",
            [metric],
            timespan=(datetime.now(UTC) - timedelta(minutes=9), timedelta(minutes=10)),
            granularity=timedelta(minutes=1),
            aggregations=[MetricAggregationType.AVERAGE],
            filter=wanted,
            max_results=100 if wanted else None,
        )
    return list(found.metrics[metric].timeseries)


def counted(site: Connection) -> Counter[tuple[str, str]]:
    """The requests of the last ten minutes by deployment and status."""
    found: Counter[tuple[str, str]] = Counter()
    for series in figures(site, "RequestsPerMinute", "deployment eq '*' and statusCode eq '*'"):
        labels = series.metadata_values
        number = sum(int(point.average or 0) for point in series.data)
        found[labels["deployment"], labels["statuscode"]] += number
    return found


def asked(site: Connection, name: str) -> int:
    """How many requests a deployment's model has seen."""
    log = ml_client(site).online_deployments.get_logs(name, "chat", lines=10_000)
    return str(log).count(f"{name} was asked")


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
    """The ids of the processes that score for this workspace: they write its deployments' logs."""
    logs = str(site.state_dir)
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            names = {Path(file.path) for file in process.open_files()}
            if any(str(name).startswith(logs) and "scoring" in name.parts for name in names):
                found.append(process.pid)
    return found


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

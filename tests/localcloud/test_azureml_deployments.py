"""Deployments: what a PUT may say, what stays when an update fails, and what goes with one."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from azure.ai.ml import MLClient
from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azureml_scoring import (
    SIZE,
    change_endpoint,
    chat_key,
    chatting,
    deployment,
    score,
    set_traffic,
)
from azureml_server import (
    eventually,
    make_connection,
    ml_client,
    rest_client,
    running,
    workspace_path,
)

from localcloud.azureml.deployments import scoring_log
from localcloud.azureml.site import Site
from localcloud.connection import Connection
from localcloud.manifest import Limits

BASE = "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/1"
FAMILY, CORES = "standardDSv2Family", 20


@pytest.fixture
def endpoint(azureml: Connection, ml: MLClient) -> Iterator[str]:
    """The path of an endpoint."""
    name = f"ep-{uuid.uuid4().hex[:8]}"
    ml.online_endpoints.begin_create_or_update(
        ManagedOnlineEndpoint(name=name, auth_mode="key")
    ).result()
    yield f"{workspace_path(azureml)}/onlineEndpoints/{name}"
    ml.online_endpoints.begin_delete(name).wait(20)


def body(capacity: object = 1, **properties: object) -> dict[str, Any]:
    """A PUT of a deployment that no node can bring up: nobody published the base model."""
    needed = {"endpointComputeType": "Managed", "instanceType": SIZE, "model": BASE}
    return {"sku": {"name": "Default", "capacity": capacity}, "properties": needed | properties}


class TestWhatAPutMaySay:
    @pytest.mark.parametrize(
        ("properties", "problem"),
        [
            ({"livenessProbe": {"initialDelay": "garbage"}}, "'initialDelay' is 'garbage'"),
            ({"readinessProbe": {"period": "00:00:10"}}, "no ISO 8601 duration"),
            ({"livenessProbe": {"failureThreshold": -1}}, "'failureThreshold' must be a whole"),
            ({"livenessProbe": {"successThreshold": "1"}}, "'successThreshold' must be a whole"),
            ({"requestSettings": {"maxQueueWait": "garbage"}}, "'maxQueueWait' is 'garbage'"),
            ({"requestSettings": {"requestTimeout": "PT181S"}}, "must be at most 180 s"),
            ({"requestSettings": {"requestTimeout": "-PT1S"}}, "no ISO 8601 duration"),
            ({"egressPublicNetworkAccess": "Sometimes"}, "not one of Enabled, Disabled"),
            ({"scaleSettings": {"scaleType": "TargetUtilization"}}, "not one of Default"),
            ({"scaleSettings": "Default"}, "'scaleSettings' must be an object"),
            ({"codeConfiguration": "score.py"}, "'codeConfiguration' must be an object"),
            ({"appInsightsEnabled": "no"}, "'appInsightsEnabled' must be true or false"),
            ({"environmentVariables": {"A=B": "c"}}, "'A=B' is no environment variable"),
            ({"environmentId": 1}, "'environmentId' must be a string"),
            ({"properties": {"a": 1}}, "'properties.a' must be a string"),
        ],
    )
    def test_refused(
        self, rest: httpx2.Client, endpoint: str, properties: dict[str, object], problem: str
    ) -> None:
        answer = rest.put(f"{endpoint}/deployments/blue", json=body(**properties))
        assert answer.status_code == 400, answer.text
        assert problem in answer.json()["error"]["message"]

    @pytest.mark.parametrize(("capacity", "status"), [(0, 400), (50, 201), (51, 400)])
    def test_instances(
        self, rest: httpx2.Client, endpoint: str, capacity: int, status: int
    ) -> None:
        answer = rest.put(f"{endpoint}/deployments/blue", json=body(capacity))
        assert answer.status_code == status

    def test_what_the_service_adds(self, rest: httpx2.Client, endpoint: str) -> None:
        settings = {"requestTimeout": "PT3M"}
        path = f"{endpoint}/deployments/blue"
        created = rest.put(path, json=body(requestSettings=settings))
        assert created.status_code == 201
        assert created.headers["x-ms-async-operation-timeout"] == "PT30M"
        properties = created.json()["properties"]
        operation = properties["properties"]["AzureAsyncOperationUri"]
        assert "/mfeOperationsStatus/od:" in operation
        assert rest.get(operation).json()["name"].startswith("od:")
        assert properties["privateNetworkConnection"] is False
        assert properties["egressPublicNetworkAccess"] == "Enabled"
        assert properties["requestSettings"]["maxQueueWait"] == "PT0.5S"
        assert properties["livenessProbe"]["initialDelay"] == "PT10S"

    def test_private_network_connection_as_the_sdk_sends_it(
        self, ml: MLClient, rest: httpx2.Client, endpoint: str
    ) -> None:
        ml.online_deployments.begin_create_or_update(
            ManagedOnlineDeployment(
                name="blue",
                endpoint_name=endpoint.rpartition("/")[2],
                model=BASE,
                instance_type=SIZE,
                instance_count=1,
                private_network_connection=True,
            )
        )
        found = rest.get(f"{endpoint}/deployments/blue").json()
        assert found["properties"]["privateNetworkConnection"] is True


class TestDeletion:
    def test_not_while_it_is_being_created(
        self, ml: MLClient, rest: httpx2.Client, endpoint: str
    ) -> None:
        name = endpoint.rpartition("/")[2]
        assert rest.put(f"{endpoint}/deployments/blue", json=body()).status_code == 201
        with pytest.raises(HttpResponseError, match="is busy") as refusal:
            ml.online_deployments.begin_delete("blue", name)
        assert refusal.value.status_code == 409
        assert ml.online_deployments.get("blue", name).provisioning_state == "Creating"

    def test_endpoint_goes_with_a_deployment_that_is_being_created(
        self, ml: MLClient, rest: httpx2.Client, endpoint: str
    ) -> None:
        name = endpoint.rpartition("/")[2]
        assert rest.put(f"{endpoint}/deployments/blue", json=body()).status_code == 201
        ml.online_endpoints.begin_delete(name).wait(20)
        with pytest.raises(ResourceNotFoundError):
            ml.online_endpoints.get(name)


def test_every_deployment_has_a_log_of_its_own(azureml: Connection) -> None:
    site = Site(azureml)
    assert scoring_log(site, "abc-def/ghi") != scoring_log(site, "abc/def-ghi")


@pytest.mark.slow
def test_limits_of_a_subscription(tmp_path: Path) -> None:
    assert Limits() == Limits(endpoints=100, deployments=500)
    site = make_connection(tmp_path)
    _declare(site, limits={"endpoints": 6, "deployments": 41})
    endpoints = f"{workspace_path(site)}/onlineEndpoints"
    with running(site, "azureml", site.ports.azureml), rest_client(site) as rest:

        def statuses(path: str, count: int, content: dict[str, Any]) -> list[int]:
            answers = (rest.put(f"{path}-{i}", json=content) for i in range(count))
            return [answer.status_code for answer in answers]

        key = {"properties": {"authMode": "Key"}}
        assert statuses(f"{endpoints}/ep", 7, key) == [201] * 6 + [400]
        eventually(lambda: _state(rest, f"{endpoints}/ep-5") == "Succeeded")
        assert statuses(f"{endpoints}/ep-0/deployments/d", 21, body()) == [201] * 20 + [400]
        assert statuses(f"{endpoints}/ep-1/deployments/d", 20, body()) == [201] * 20
        assert statuses(f"{endpoints}/ep-2/deployments/d", 1, body()) == [201]
        answer = rest.put(f"{endpoints}/ep-3/deployments/blue", json=body())
        assert answer.status_code == 400
        assert "at most 41 deployments" in answer.json()["error"]["message"]


def _declare(site: Connection, **sections: Any) -> None:
    """Have other sections in the manifest of a workspace that does not run yet."""
    manifest = site.state_dir / "manifest.yaml"
    manifest.write_text(yaml.safe_dump(yaml.safe_load(manifest.read_text()) | sections))


def _state(rest: httpx2.Client, path: str) -> str:
    return str(rest.get(path).json()["properties"]["provisioningState"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A workspace with `blue` and `green`, 8 cores each, and too little quota for a third."""
    connection = make_connection(tmp_path_factory.mktemp("deployments"))
    _declare(connection, quotas={FAMILY: CORES})
    with chatting(connection, "blue", "green"):
        yield connection


def used(ml: MLClient) -> int:
    """The cores of the family that are taken."""
    usages = [vars(usage) for usage in ml.compute.list_usage()]
    (family,) = (
        usage
        for usage in usages
        if usage["name"]["value"].lower() == FAMILY.lower()
        and "vmFamily/dedicatedCores" in str(usage["type"])
    )
    return int(family["currentValue"])


def blue(site: Connection, ml: MLClient) -> ManagedOnlineDeployment:
    found = ml.online_deployments.get("blue", "chat")
    assert isinstance(found, ManagedOnlineDeployment)
    return found


@pytest.mark.slow
class TestUpdates:
    def test_variables_reach_the_process(self, site: Connection) -> None:
        ml = ml_client(site)
        changed = blue(site, ml)
        changed.environment_variables = {"GREETING": "hello"}
        ml.online_deployments.begin_create_or_update(changed).result()
        answer = score(site, "chat", chat_key(site), "blue")
        assert "blue hello" in answer.text

    def test_one_that_fails_leaves_what_was(self, site: Connection) -> None:
        ml = ml_client(site)
        set_traffic(site)
        before = used(ml)
        changed = blue(site, ml)
        changed.instance_count = 3
        with pytest.raises(HttpResponseError, match=r"16/20\. Additional needed: 8"):
            ml.online_deployments.begin_create_or_update(changed).result()
        assert blue(site, ml).provisioning_state == "Failed"
        assert used(ml) == before == 16
        set_traffic(site, blue=100)
        assert score(site, "chat", chat_key(site)).status_code == 200

        changed.instance_count = 1
        ml.online_deployments.begin_create_or_update(changed).result()
        assert blue(site, ml).provisioning_state == "Succeeded"

    def test_quota_that_is_held_is_not_there_for_others(self, site: Connection) -> None:
        ml = ml_client(site)
        poller = ml.online_deployments.begin_create_or_update(deployment(site, ml, "red"))
        with pytest.raises(HttpResponseError, match="OutOfQuota"):
            poller.result()
        assert used(ml) == 16
        ml.online_deployments.begin_delete("red", "chat").wait(20)


@pytest.mark.slow
def test_a_deleted_deployment_leaves_no_shares(site: Connection) -> None:
    ml = ml_client(site)
    path = f"{workspace_path(site)}/onlineEndpoints/chat"
    change_endpoint(site, traffic={"blue": 100}, mirror_traffic={"green": 20})
    with rest_client(site) as rest:
        shares = rest.get(path).json()
        shares["properties"]["traffic"] = {"blue": 100, "green": 0}
        shares["properties"]["mirrorTraffic"] = {"green": 0}
        assert rest.put(path, json=shares).status_code == 200
        eventually(lambda: _state(rest, path) == "Succeeded")
        ml.online_deployments.begin_delete("green", "chat").wait(20)
        found = rest.get(path).json()["properties"]
    assert found["traffic"] == {"blue": 100}
    assert found["mirrorTraffic"] == {}
    change_endpoint(site, tags={"team": "a"})
    assert ml.online_endpoints.get("chat").tags == {"team": "a"}

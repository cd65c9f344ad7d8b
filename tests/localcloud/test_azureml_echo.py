"""What a request creates is read back as it was sent, and sending that again changes nothing."""

import uuid
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from azureml_server import eventually, pipeline_body, workspace_path

from localcloud.connection import Connection

BASE = "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/1"
IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
DESCRIBED = {"description": "d", "tags": {"t": "1"}, "properties": {"p": "2"}}
PROBE = {
    "initialDelay": "PT15S",
    "period": "PT11S",
    "timeout": "PT3S",
    "successThreshold": 2,
    "failureThreshold": 7,
}


@pytest.fixture
def name() -> str:
    return f"echo-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def environment(azureml: Connection) -> str:
    return f"{workspace_path(azureml)}/environments/echo/versions/1"


@pytest.fixture
def endpoint(azureml: Connection, rest: httpx2.Client, name: str) -> Iterator[str]:
    """The path of an endpoint that is ready."""
    path = f"{workspace_path(azureml)}/onlineEndpoints/{name}"
    rest.put(path, json={"properties": {"authMode": "Key"}})
    eventually(lambda: rest.get(path).json()["properties"]["provisioningState"] == "Succeeded")
    yield path
    rest.delete(path)


def missing(sent: Any, found: Any, place: str = "") -> list[str]:
    """The places where an answer is not what was sent."""
    if isinstance(sent, dict) and isinstance(found, dict):
        return [
            lack
            for key, value in sent.items()
            for lack in missing(value, found.get(key), f"{place}.{key}")
        ]
    return [] if sent == found else [f"{place}: {sent!r} became {found!r}"]


def echo(rest: httpx2.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Create something twice and read it."""
    made = rest.put(path, json=body)
    assert made.status_code == 201, made.text
    assert missing(body, made.json()) == []
    found = rest.get(path).json()
    assert missing(body, found) == []
    assert rest.put(path, json=body).status_code == 200
    return dict(found)


@pytest.mark.parametrize(
    ("path", "properties"),
    [
        (
            "data/NAME/versions/1",
            {"dataType": "uri_file", "dataUri": "https://host/a.jsonl", "isArchived": True},
        ),
        ("data/NAME", {"dataType": "uri_folder", "isArchived": True}),
        ("models/NAME", {"isArchived": False}),
        (
            "environments/NAME/versions/1",
            {"image": IMAGE, "condaFile": "{}", "osType": "Linux", "isAnonymous": True},
        ),
    ],
)
def test_assets(
    azureml: Connection, rest: httpx2.Client, name: str, path: str, properties: dict[str, Any]
) -> None:
    body = {"properties": {**DESCRIBED, **properties}}
    echo(rest, f"{workspace_path(azureml)}/{path.replace('NAME', name)}", body)


def test_model(azureml: Connection, rest: httpx2.Client, name: str) -> None:
    folder = azureml.state_dir / "azureml" / "workspaceblobstore" / name
    folder.mkdir(parents=True)
    uri = (
        f"azureml://subscriptions/{azureml.subscription_id}"
        f"/resourceGroups/{azureml.resource_group}/workspaces/{azureml.workspace}"
        f"/datastores/workspaceblobstore/paths/{name}"
    )
    properties = {"modelType": "custom_model", "modelUri": uri, "stage": "Staging"}
    path = f"{workspace_path(azureml)}/models/{name}/versions/1"
    echo(rest, path, {"properties": {**DESCRIBED, **properties}})


def test_datastore(azureml: Connection, rest: httpx2.Client, name: str) -> None:
    properties = {
        "datastoreType": "AzureBlob",
        "containerName": "prepared",
        "credentials": {"credentialsType": "None"},
    }
    path = f"{workspace_path(azureml)}/datastores/{name.replace('-', '_')}"
    sent = {**DESCRIBED, **properties}
    made = rest.put(
        path, json={"properties": {**sent, "accountName": azureml.storage.account}}
    ).json()
    assert missing({"properties": sent}, made) == []
    # The account is given out by a name that leads to this server.
    assert made["properties"]["accountName"].endswith(f"/storage/{azureml.storage.account}")


def test_compute(azureml: Connection, rest: httpx2.Client, name: str) -> None:
    scale = {"minNodeCount": 1, "maxNodeCount": 3, "nodeIdleTimeBeforeScaleDown": "PT300S"}
    body = {
        "location": "eastus",
        "tags": {"t": "1"},
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "computeType": "AmlCompute",
            "description": "d",
            "properties": {
                "vmSize": "STANDARD_DS3_V2",
                "vmPriority": "LowPriority",
                "osType": "Linux",
                "scaleSettings": scale,
                "remoteLoginPortPublicAccess": "Disabled",
                "enableNodePublicIp": False,
            },
        },
    }
    path = f"{workspace_path(azureml)}/computes/{name}"
    assert missing(body, rest.put(path, json=body).json()) == []
    assert missing(body, rest.get(path).json()) == []
    rest.delete(path)


def test_endpoint(azureml: Connection, rest: httpx2.Client, name: str) -> None:
    body = {
        "location": "eastus",
        "tags": {"t": "1"},
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "authMode": "AMLToken",
            "description": "d",
            "properties": {"p": "2"},
            "traffic": {},
            "mirrorTraffic": {},
            "publicNetworkAccess": "Disabled",
        },
    }
    path = f"{workspace_path(azureml)}/onlineEndpoints/{name}"
    echo(rest, path, body)
    rest.delete(path)


def test_deployment(rest: httpx2.Client, endpoint: str) -> None:
    body = {
        "location": "eastus",
        "tags": {"t": "1"},
        "sku": {"name": "Default", "capacity": 2},
        "properties": {
            "endpointComputeType": "Managed",
            "description": "d",
            "properties": {"p": "2"},
            "model": BASE,
            "instanceType": "Standard_DS3_v2",
            "environmentVariables": {"A": "b"},
            "scaleSettings": {"scaleType": "Default"},
            "requestSettings": {
                "maxQueueWait": "PT1S",
                "requestTimeout": "PT90S",
                "maxConcurrentRequestsPerInstance": 4,
            },
            "livenessProbe": PROBE,
            "readinessProbe": PROBE,
            "modelMountPath": "/var/model",
            "appInsightsEnabled": True,
            "egressPublicNetworkAccess": "Disabled",
        },
    }
    echo(rest, f"{endpoint}/deployments/blue", body)


def test_pipeline_job(azureml: Connection, rest: httpx2.Client, name: str) -> None:
    body = pipeline_body(azureml)
    body["properties"] |= DESCRIBED | {"displayName": "n", "identity": {"identityType": "AMLToken"}}
    body["properties"]["inputs"] = {"seed": {"jobInputType": "literal", "value": "7"}}
    check_job(rest, f"{workspace_path(azureml)}/jobs/{name}", body)


def test_command_job(azureml: Connection, rest: httpx2.Client, name: str, environment: str) -> None:
    rest.put(environment, json={"properties": {"image": IMAGE}})
    uri = "azureml://datastores/workspaceblobstore/paths/echo/"
    properties = {
        "jobType": "Command",
        "displayName": "n",
        "experimentName": "echo",
        "command": "cp ${{inputs.data}} ${{outputs.out}}",
        "environmentId": environment,
        "environmentVariables": {"A": "b"},
        "computeId": f"{workspace_path(azureml)}/computes/gpu-cluster",
        "inputs": {"data": {"jobInputType": "uri_file", "uri": uri, "mode": "Download"}},
        "outputs": {"out": {"jobOutputType": "uri_folder", "uri": uri, "mode": "Upload"}},
        "limits": {"jobLimitsType": "Command", "timeout": "PT2M"},
        "resources": {"instanceCount": 1, "shmSize": "4g"},
        "services": {"lab": {"jobServiceType": "JupyterLab", "nodes": {"nodesValueType": "All"}}},
        "identity": {"identityType": "Managed"},
        "isArchived": True,
    }
    path = f"{workspace_path(azureml)}/jobs/{name}"
    check_job(rest, path, {"properties": {**DESCRIBED, **properties}})


def check_job(rest: httpx2.Client, path: str, body: dict[str, Any]) -> None:
    """Its answer may be sent back as well, with all that the service has added."""
    found = echo(rest, path, body)
    again = rest.put(path, json=found)
    assert again.status_code == 200, again.text
    assert again.json()["properties"] == found["properties"]
    assert rest.post(f"{path}/cancel").status_code == 202

"""The answers of operations, lists and errors carry what the SDK's own models and readers need."""

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from azure.ai.ml import MLClient
from azure.ai.ml._restclient.arm_ml_service import models
from azure.ai.ml._restclient.dataset_dataplane import models as dataset_models
from azure.ai.ml._restclient.runhistory import models as history
from azure.ai.ml.entities import (
    AmlCompute,
    AzureBlobDatastore,
    Command,
    CommandJob,
    Data,
    Environment,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
    OnlineDeployment,
    OnlineEndpoint,
    PipelineJob,
    Usage,
    VmSize,
    Workspace,
)
from azure.ai.ml.entities._credentials import NoneCredentialConfiguration
from azure.ai.ml.entities._endpoint.online_endpoint import EndpointAuthToken
from azure.ai.ml.entities._job.base_job import _BaseJob
from azure.ai.ml.entities._job.service_instance import ServiceInstance
from azure.ai.ml.operations import JobOperations, OnlineDeploymentOperations
from azure.ai.ml.operations._job_ops_helper import (
    get_job_output_uris_from_dataplane,
    list_logs,
    stream_logs_until_completion,
)
from azure.ai.ml.operations._run_operations import RunOperations
from azure.core.exceptions import ODataV4Format
from azure.core.polling.base_polling import _FAILED, _FINISHED, _SUCCEEDED
from azure.mgmt.core.exceptions import ARMErrorFormat
from azureml_conformity import finished_job, lacks, take
from azureml_server import (
    NodeClient,
    admin_client,
    ml_client,
    pipeline_body,
    rest_client,
    workspace_path,
)

from localcloud.connection import Connection

BASE = "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/1"
IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
JOB_READERS = (
    PipelineJob._load_from_rest,
    Command._load_from_rest_job,
    CommandJob._load_from_rest,
)
RUN_READERS = (_BaseJob._load_from_rest,)
DETAIL_READERS = (stream_logs_until_completion, list_logs)
ERROR_READERS = (ODataV4Format.__init__, ARMErrorFormat.__init__)
OUTPUT_READERS = (get_job_output_uris_from_dataplane,)

Readers = tuple[Callable[..., Any], ...]

ANSWERS: dict[str, tuple[type, Readers]] = {
    "command job": (models.JobBase, JOB_READERS),
    "run": (history.Run, RUN_READERS),
    "run of a pipeline": (history.Run, RUN_READERS),
    "run of a step": (history.Run, RUN_READERS),
    "children": (history.PaginatedRunList, (*RUN_READERS, RunOperations.get_run_children)),
    "details": (history.RunDetails, DETAIL_READERS),
    "details of a failure": (history.RunDetails, DETAIL_READERS),
    "details of a step": (history.RunDetails, DETAIL_READERS),
    "run data": (history.GetRunDataResult, OUTPUT_READERS),
    "output uris": (dataset_models.BatchDataUriResponse, OUTPUT_READERS),
    "service instances": (
        history.RunServiceInstances,
        (ServiceInstance._from_rest_object, JobOperations.show_services),
    ),
    "token": (models.EndpointAuthToken, (EndpointAuthToken._from_rest_object,)),
    "logs": (models.DeploymentLogs, (OnlineDeploymentOperations.get_logs,)),
    "secrets": (
        models.DatastoreSecrets,
        (NoneCredentialConfiguration._from_datastore_rest_object, AzureBlobDatastore.__init__),
    ),
}
LISTS: dict[str, tuple[type, Readers]] = {
    "jobs": (models.JobBase, JOB_READERS),
    "models": (models.ModelContainer, (Model._from_container_rest_object,)),
    "models/listed/versions": (models.ModelVersion, (Model._from_rest_object,)),
    "data": (models.DataContainer, (Data._from_container_rest_object,)),
    "data/listed/versions": (models.DataVersionBase, (Data._from_rest_object,)),
    "environments": (models.EnvironmentContainer, (Environment._from_container_rest_object,)),
    "environments/listed/versions": (
        models.EnvironmentVersion,
        (Environment._from_rest_object,),
    ),
    "onlineEndpoints": (models.OnlineEndpoint, (OnlineEndpoint._from_rest_object,)),
    "onlineEndpoints/listed/deployments": (
        models.OnlineDeployment,
        (OnlineDeployment._from_rest_object, ManagedOnlineDeployment._from_rest_object),
    ),
    "computes": (models.ComputeResource, (AmlCompute._load_from_rest,)),
    "datastores": (models.Datastore, (AzureBlobDatastore._from_rest_object,)),
    "LOCATION/usages": (models.Usage, (Usage._from_rest_object,)),
    "LOCATION/vmSizes": (models.VirtualMachineSize, (VmSize._from_rest_object,)),
    "GROUP/workspaces": (models.Workspace, (Workspace._from_rest_object,)),
    "SUBSCRIPTION/workspaces": (models.Workspace, (Workspace._from_rest_object,)),
}
# Secrets are given by their own calls alone.
WITHHELD = {"properties.credentials.secrets"}


@pytest.fixture(scope="module")
def client(azureml: Connection) -> Iterator[httpx2.Client]:
    with rest_client(azureml) as rest:
        yield rest


@pytest.fixture(scope="module")
def endpoint(azureml: Connection) -> Iterator[MLClient]:
    """An endpoint `listed` with tokens, and a deployment that is being made."""
    ml = ml_client(azureml)
    ml.online_endpoints.begin_create_or_update(
        ManagedOnlineEndpoint(name="listed", auth_mode="aml_token")
    ).result()
    ml.online_deployments.begin_create_or_update(
        ManagedOnlineDeployment(
            name="blue",
            endpoint_name="listed",
            model=BASE,
            instance_type="Standard_DS3_v2",
            instance_count=1,
        )
    )
    yield ml
    ml.online_endpoints.begin_delete("listed").wait()


@pytest.fixture(scope="module")
def assets(azureml: Connection, endpoint: MLClient) -> str:
    """One of each asset, all called `listed`; gives the environment's id."""
    endpoint.data.create_or_update(
        Data(name="listed", version="1", type="uri_file", path="https://host/a.jsonl")
    )
    endpoint.environments.create_or_update(Environment(name="listed", version="1", image=IMAGE))
    endpoint.datastores.create_or_update(
        AzureBlobDatastore(
            name="listed", account_name=azureml.storage.account, container_name="prepared"
        )
    )
    return f"{workspace_path(azureml)}/environments/listed/versions/1"


@pytest.fixture(scope="module")
def answers(
    azureml: Connection, client: httpx2.Client, endpoint: MLClient, assets: str
) -> dict[str, dict[str, Any]]:
    """The raw answer of each operation, from resources made for it."""
    workspace = workspace_path(azureml)
    finished, failed, child = finished_job(azureml, client), *failed_job(azureml, client)
    endpoint.models.create_or_update(
        Model(
            name="listed",
            version="1",
            type="mlflow_model",
            path=f"azureml://jobs/{finished}/outputs/trained_model",
        )
    )
    command = command_job(azureml, client, assets)
    runs = f"/history/v1.0{workspace}/runs"

    def ask(method: str, path: str, **body: object) -> dict[str, Any]:
        answer = client.request(method, path, json=body or None)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    run_data = ask("POST", f"/history/v1.0{workspace}/rundata", runId=finished)
    made = [item["assetId"] for item in run_data["runMetadata"]["outputs"].values()]
    resolve = f"/data/v1.0{workspace}/dataversion/batchGetResolvedUris"
    children = ask("GET", f"{runs}/{failed}/children")
    pipeline = children["value"][0]["runId"]
    return {
        "command job": ask("GET", f"{workspace}/jobs/{command}"),
        "run": ask("GET", f"{runs}/{command}"),
        "run of a pipeline": ask("GET", f"{runs}/{pipeline}"),
        "run of a step": ask("GET", f"{runs}/{child}"),
        "children": children,
        "details": ask("GET", f"{runs}/{finished}/details"),
        "details of a failure": ask("GET", f"{runs}/{failed}/details"),
        "details of a step": ask("GET", f"{runs}/{child}/details"),
        "run data": run_data,
        "output uris": ask("POST", resolve, values=made),
        "service instances": ask("GET", f"{runs}/{command}/serviceinstances/0"),
        "token": ask("POST", f"{workspace}/onlineEndpoints/listed/token"),
        "logs": ask("POST", f"{workspace}/onlineEndpoints/listed/deployments/blue/getLogs", tail=5),
        "secrets": ask("POST", f"{workspace}/datastores/listed/listSecrets"),
    }


def failed_job(azureml: Connection, rest: httpx2.Client) -> tuple[str, str]:
    """A job whose first step failed, and the run of that step."""
    name = f"failed-{uuid.uuid4().hex[:8]}"
    rest.put(f"{workspace_path(azureml)}/jobs/{name}", json=pipeline_body(azureml))
    node = NodeClient(azureml, uuid.uuid4().hex)
    take(node, name)
    error = {"code": "UserError", "message": "row 7 has no messages"}
    step = node.put(f"{name}/steps/preprocess", status="Failed", error=error)
    assert node.put(f"{name}/status", status="Failed", error=error).is_success
    return name, str(step.json()["run"])


def command_job(azureml: Connection, rest: httpx2.Client, environment: str) -> str:
    """A job that asks for a service, and is cancelled before any node has it."""
    path = f"{workspace_path(azureml)}/jobs/command-{uuid.uuid4().hex[:8]}"
    properties = {
        "jobType": "Command",
        "command": "true",
        "environmentId": environment,
        "services": {"lab": {"jobServiceType": "JupyterLab"}},
    }
    assert rest.put(path, json={"properties": properties}).status_code == 201
    assert rest.post(f"{path}/cancel").status_code == 202
    return path.rpartition("/")[2]


@pytest.mark.parametrize("kind", ANSWERS)
def test_answers(answers: dict[str, dict[str, Any]], kind: str) -> None:
    assert lacks(*ANSWERS[kind], answers[kind]) == []


@pytest.mark.parametrize("path", LISTS)
def test_lists(
    azureml: Connection, client: httpx2.Client, answers: dict[str, dict[str, Any]], path: str
) -> None:
    workspace = workspace_path(azureml)
    provider = "providers/Microsoft.MachineLearningServices"
    subscription = f"/subscriptions/{azureml.subscription_id}/{provider}"
    tops = {
        "LOCATION": f"{subscription}/locations/eastus",
        "GROUP": workspace.rpartition("/workspaces/")[0],
        "SUBSCRIPTION": subscription,
    }
    first, _, rest = path.partition("/")
    address = f"{tops[first]}/{rest}" if first in tops else f"{workspace}/{path}"
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    assert answer.json()["value"]
    assert set(lacks(*LISTS[path], answer.json()["value"], many=True)) <= WITHHELD


@pytest.mark.parametrize(
    ("status", "call"),
    [
        (400, ("PUT", "jobs/refused", {"properties": {"jobType": "Sweep"}})),
        (404, ("GET", "jobs/absent", None)),
        (404, ("GET", "nothing/of/the/kind", None)),
        (405, ("DELETE", "jobs/absent", None)),
        (409, ("PUT", "environments/listed/versions/1", {"properties": {"image": "other"}})),
        (429, ("GET", "models/throttled", None)),
    ],
)
def test_errors(
    azureml: Connection,
    client: httpx2.Client,
    assets: str,
    status: int,
    call: tuple[str, str, dict[str, Any] | None],
) -> None:
    method, path, body = call
    with admin_client(azureml) as admin:
        if status == 429:
            throttle = {"target": f"GET /{path}", "status": 429, "code": "TooManyRequests"}
            fault = {"work": "call", "outcome": "fail", "retry_after": 3, **throttle}
            assert admin.post("/faults", json=fault).status_code == 201
        answer = client.request(method, f"{workspace_path(azureml)}/{path}", json=body)
    assert answer.status_code == status
    assert answer.headers["x-ms-response-type"] == "error"
    assert answer.headers.get("retry-after") == ("3" if status == 429 else None)
    assert lacks(models.ErrorResponse, ERROR_READERS, answer.json()) == []
    read = ARMErrorFormat(answer.json())
    assert read.code
    assert read.message
    assert {"ComponentName", "Time"} <= {info.type for info in read.additional_info}


def test_operations(azureml: Connection, client: httpx2.Client) -> None:
    """The SDK has no model of an operation's status: its poller reads these."""
    path = f"{workspace_path(azureml)}/computes/cluster-{uuid.uuid4().hex[:8]}"
    vm_size = {"computeType": "AmlCompute", "properties": {"vmSize": "STANDARD_DS3_V2"}}
    with admin_client(azureml) as admin:
        name = path.rpartition("/")[2]
        fault = {"work": "compute", "outcome": "fail", "target": name, "code": "OutOfCapacity"}
        assert admin.post("/faults", json=fault).status_code == 201
        failing = client.put(path, json={"properties": vm_size})
        record = ended_operation(client, failing.headers["azure-asyncoperation"])
    assert record["status"].lower() in _FAILED
    assert record["error"]["code"] == "OutOfCapacity"
    assert lacks(models.ErrorDetail, ERROR_READERS, record["error"]) == []
    succeeding = client.put(path, json={"properties": vm_size})
    record = ended_operation(client, succeeding.headers["azure-asyncoperation"])
    assert record["status"].lower() in _SUCCEEDED
    assert client.delete(path).status_code == 202


def ended_operation(client: httpx2.Client, address: str) -> dict[str, Any]:
    """The record of an operation when it has ended; before that it says how long to wait."""
    while True:
        answer = client.get(address)
        record = dict(answer.json())
        assert {"id", "name", "status", "startTime", "percentComplete"} <= set(record)
        assert address.partition("?")[0].endswith(record["id"])
        if record["status"].lower() in _FINISHED:
            assert "endTime" in record
            return record
        assert answer.headers["retry-after"] == "1"
        time.sleep(0.2)

"""Answers carry what the SDK's own models require, and what its deserialisers read.

Both lists come from the SDK itself: the fields of its REST models without `Optional`, and the
attributes that the source of its entities' readers names.
"""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from azure.ai.ml import MLClient
from azure.ai.ml._restclient.arm_ml_service import models
from azure.ai.ml.entities import (
    AmlCompute,
    AzureBlobDatastore,
    Component,
    Data,
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
from azure.ai.ml.entities._endpoint.online_endpoint import EndpointAuthKeys
from azureml_conformity import absent, deserialized, finished_job, lacks
from azureml_server import workspace_path

from localcloud.connection import Connection

BASE = "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/1"
# Secrets are given by their own calls alone.
WITHHELD = {"properties.credentials.secrets"}
READERS: dict[str, tuple[type, tuple[Callable[..., Any], ...]]] = {
    "workspace": (models.Workspace, (Workspace._from_rest_object,)),
    "compute": (models.ComputeResource, (AmlCompute._load_from_rest,)),
    "datastore": (models.Datastore, (AzureBlobDatastore._from_rest_object,)),
    "job": (models.JobBase, (PipelineJob._load_from_rest,)),
    "model": (models.ModelVersion, (Model._from_rest_object,)),
    "model container": (models.ModelContainer, (Model._from_container_rest_object,)),
    "data": (models.DataVersionBase, (Data._from_rest_object,)),
    "data container": (models.DataContainer, (Data._from_container_rest_object,)),
    "endpoint": (models.OnlineEndpoint, (OnlineEndpoint._from_rest_object,)),
    "deployment": (
        models.OnlineDeployment,
        (OnlineDeployment._from_rest_object, ManagedOnlineDeployment._from_rest_object),
    ),
    "keys": (models.EndpointAuthKeys, (EndpointAuthKeys._from_rest_object,)),
    "usage": (models.Usage, (Usage._from_rest_object,)),
    "size": (models.VirtualMachineSize, (VmSize._from_rest_object,)),
    "registry model": (models.ModelVersion, (Model._from_rest_object,)),
    "registry component": (models.ComponentVersion, (Component._from_rest_object,)),
}


@pytest.fixture(scope="module")
def answers(azureml: Connection) -> Iterator[dict[str, dict[str, Any]]]:
    """The raw answer of each kind, from resources made for it."""
    from azureml_server import ml_client, rest_client

    with rest_client(azureml) as rest:
        ml = ml_client(azureml)
        yield collect(azureml, ml, rest)
        ml.online_endpoints.begin_delete("conforming").wait()


def collect(azureml: Connection, ml: MLClient, rest: httpx2.Client) -> dict[str, dict[str, Any]]:
    workspace = workspace_path(azureml)
    registry = workspace.replace(f"workspaces/{azureml.workspace}", "registries/azureml")
    job = finished_job(azureml, rest)
    ml.models.create_or_update(
        Model(
            name="conforming",
            version="1",
            type="mlflow_model",
            path=f"azureml://jobs/{job}/outputs/trained_model",
        )
    )
    ml.data.create_or_update(
        Data(name="conforming", version="1", type="uri_file", path="https://host/a.jsonl")
    )
    ml.online_endpoints.begin_create_or_update(
        ManagedOnlineEndpoint(name="conforming", auth_mode="key")
    ).result()
    ml.online_deployments.begin_create_or_update(
        ManagedOnlineDeployment(
            name="blue",
            endpoint_name="conforming",
            model=BASE,
            instance_type="Standard_DS3_v2",
            instance_count=1,
        )
    )
    locations = f"{workspace.partition('/resourceGroups')[0]}/providers"
    locations += "/Microsoft.MachineLearningServices/locations/eastus"
    components = f"/mferp/managementfrontend{registry}/components/chat_completion_pipeline/versions"

    def get(path: str) -> dict[str, Any]:
        answer = rest.get(path)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    endpoint = f"{workspace}/onlineEndpoints/conforming"
    return {
        "workspace": get(workspace),
        "compute": get(f"{workspace}/computes/gpu-cluster"),
        "datastore": get(f"{workspace}/datastores/workspaceblobstore"),
        "job": get(f"{workspace}/jobs/{job}"),
        "model": get(f"{workspace}/models/conforming/versions/1"),
        "model container": get(f"{workspace}/models/conforming"),
        "data": get(f"{workspace}/data/conforming/versions/1"),
        "data container": get(f"{workspace}/data/conforming"),
        "endpoint": get(endpoint),
        "deployment": get(f"{endpoint}/deployments/blue"),
        "keys": rest.post(f"{endpoint}/listKeys").json(),
        "usage": get(f"{locations}/usages")["value"][0],
        "size": get(f"{locations}/vmSizes")["value"][0],
        "registry model": get(
            f"/mferp/managementfrontend{registry}/models/Phi-3-mini-4k-instruct/versions/1"
        ),
        "registry component": get(components)["value"][0],
    }


@pytest.mark.parametrize("kind", READERS)
def test_nothing_that_the_sdk_needs_is_absent(
    answers: dict[str, dict[str, Any]], kind: str
) -> None:
    lacking = set(lacks(*READERS[kind], answers[kind])) - WITHHELD
    assert not lacking, ", ".join(sorted(lacking))


def test_an_answer_that_lacks_something_is_noticed() -> None:
    raw = {"id": "/x", "name": "e", "location": "eastus", "properties": {"traffic": {}}}
    found = deserialized(models.OnlineEndpoint, raw)
    assert "properties.authMode" in absent(found, {"scoring_uri"})
    assert "properties.scoringUri" in absent(found, {"scoring_uri"})

"""Models of the workspace, through the SDK."""

import uuid

import httpx2
import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.entities import Model
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azureml_server import NodeClient, Topic, eventually, pipeline_body, rest_client, workspace_path

from localcloud.connection import Connection


@pytest.fixture(scope="module")
def job(azureml: Connection) -> str:
    """A job that has an output."""
    name = f"job-{uuid.uuid4().hex[:8]}"
    with rest_client(azureml) as rest:
        rest.put(f"{workspace_path(azureml)}/jobs/{name}", json=pipeline_body(azureml))
    node = NodeClient(azureml, f"node-{name}")
    node.complete(node.next_job())
    return name


@pytest.fixture
def name() -> str:
    return f"model-{uuid.uuid4().hex[:8]}"


def model_of(job: str, name: str, **values: object) -> Model:
    path = f"azureml://jobs/{job}/outputs/trained_model"
    return Model(name=name, path=path, type="mlflow_model", **({"version": "1"} | values))


def test_registered_once_however_often(ml: MLClient, job: str, name: str, topic: Topic) -> None:
    for _ in range(3):
        registered = ml.models.create_or_update(model_of(job, name, tags={"project": "p"}))
    assert registered.id.endswith(f"/models/{name}/versions/1")
    assert registered.job_name == job
    assert registered.flavors == {"python_function": {"loader_module": "test"}}
    assert [model.version for model in ml.models.list(name)] == ["1"]

    def announced() -> int:
        kind = "Microsoft.MachineLearningServices.ModelRegistered"
        found = [event["data"] for event in topic.events if event["eventType"] == kind]
        return sum(data["modelName"] == name for data in found)

    eventually(lambda: announced() == 1)


def test_tags_may_change_and_the_path_not(
    ml: MLClient, azureml: Connection, job: str, name: str
) -> None:
    ml.models.create_or_update(model_of(job, name, tags={"a": "1"}))
    assert ml.models.create_or_update(model_of(job, name, tags={"b": "2"})).tags == {"b": "2"}
    folder = azureml.state_dir / "azureml" / "workspaceblobstore" / name
    folder.mkdir(parents=True)
    other = Model(
        name=name,
        version="1",
        type="custom_model",
        path=f"azureml://datastores/workspaceblobstore/paths/{name}",
    )
    with pytest.raises(HttpResponseError, match="immutable"):
        ml.models.create_or_update(other)


def test_latest_and_archived(ml: MLClient, job: str, name: str) -> None:
    for version in ("1", "2", "10"):
        ml.models.create_or_update(model_of(job, name, version=version))
    assert ml.models.get(name, label="latest").version == "10"
    ml.models.archive(name, version="10")
    assert [model.version for model in ml.models.list(name)] == ["2", "1"]
    ml.models.restore(name, version="10")
    assert [model.version for model in ml.models.list(name)] == ["10", "2", "1"]


@pytest.mark.parametrize(
    "path",
    [
        "azureml://jobs/absent/outputs/trained_model",
        "azureml://jobs/{job}/outputs/other",
        "azureml://datastores/workspaceblobstore/paths/absent",
        "azureml://datastores/workspaceblobstore/paths/../../../etc",
        "azureml://datastores/other/paths/x",
        "wasbs://somewhere/else",
    ],
)
def test_path_that_leads_nowhere(
    azureml: Connection, rest: httpx2.Client, job: str, name: str, path: str
) -> None:
    body = {"properties": {"modelType": "mlflow_model", "modelUri": path.format(job=job)}}
    answer = rest.put(f"{workspace_path(azureml)}/models/{name}/versions/1", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "UserError"
    assert rest.get(f"{workspace_path(azureml)}/models/{name}").status_code == 404


@pytest.mark.parametrize("version", ["one", "1.0", "-1"])
def test_version_that_is_no_number(
    azureml: Connection, rest: httpx2.Client, name: str, version: str
) -> None:
    path = f"{workspace_path(azureml)}/models/{name}/versions/{version}"
    assert rest.put(path, json={"properties": {}}).status_code == 400


def test_what_is_not_there(ml: MLClient, name: str) -> None:
    with pytest.raises(ResourceNotFoundError):
        ml.models.get(name, version="1")

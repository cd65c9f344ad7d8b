"""Data assets of the workspace, through the SDK."""

import uuid

import pytest
from azure.ai.ml import MLClient
from azure.ai.ml.entities import Data
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azureml_server import NodeClient, pipeline_body, rest_client, workspace_path

from localcloud.azureml.arm import PAGE_SIZE
from localcloud.connection import Connection


@pytest.fixture
def name() -> str:
    return f"data-{uuid.uuid4().hex[:8]}"


def blob(azureml: Connection, path: str = "prepared/p/train.jsonl") -> str:
    return f"{azureml.storage.blob_url.rstrip('/')}/{path}"


def data_of(azureml: Connection, name: str, **values: object) -> Data:
    given = {"version": "0123456789ab", "type": "uri_file", "path": blob(azureml), **values}
    return Data(name=name, **given)


def test_registered_once_however_often(ml: MLClient, azureml: Connection, name: str) -> None:
    for _ in range(2):
        asset = ml.data.create_or_update(data_of(azureml, name, tags={"rows": "9"}))
    assert asset.id.endswith(f"/data/{name}/versions/0123456789ab")
    found = ml.data.get(name, version="0123456789ab")
    assert (found.path, found.type, found.tags) == (blob(azureml), "uri_file", {"rows": "9"})
    assert [data.version for data in ml.data.list(name)] == ["0123456789ab"]


def test_latest_is_the_newest(ml: MLClient, azureml: Connection, name: str) -> None:
    for version in ("bb", "aa"):
        ml.data.create_or_update(data_of(azureml, name, version=version))
    assert ml.data.get(name, label="latest").version == "aa"
    (container,) = [data for data in ml.data.list() if data.name == name]
    assert container.latest_version == "aa"


def test_versions_are_numbered_when_none_is_given(
    ml: MLClient, azureml: Connection, name: str
) -> None:
    numbers = [ml.data.create_or_update(data_of(azureml, name, version=None)) for _ in range(2)]
    assert [data.version for data in numbers] == ["1", "2"]


def test_tags_may_change_and_the_path_not(ml: MLClient, azureml: Connection, name: str) -> None:
    ml.data.create_or_update(data_of(azureml, name, tags={"a": "1"}))
    changed = ml.data.create_or_update(data_of(azureml, name, tags={"b": "2"}))
    assert changed.tags == {"b": "2"}
    other = data_of(azureml, name, path=blob(azureml, "prepared/other.jsonl"))
    with pytest.raises(HttpResponseError, match="already exists"):
        ml.data.create_or_update(other)


@pytest.mark.parametrize("path", ["azureml://datastores/other/paths/x", "azureml:x:1", "wasbs://x"])
def test_what_no_job_could_read_is_refused(
    ml: MLClient, azureml: Connection, name: str, path: str
) -> None:
    with rest_client(azureml) as rest:
        url = f"{workspace_path(azureml)}/data/{name}/versions/1"
        answer = rest.put(url, json={"properties": {"dataType": "uri_file", "dataUri": path}})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "UserError"
    with pytest.raises(ResourceNotFoundError):
        ml.data.get(name, version="1")


def test_archived_and_restored(ml: MLClient, azureml: Connection, name: str) -> None:
    ml.data.create_or_update(data_of(azureml, name))
    ml.data.archive(name, version="0123456789ab")
    assert list(ml.data.list(name)) == []
    ml.data.restore(name, version="0123456789ab")
    assert len(list(ml.data.list(name))) == 1


def test_a_job_reads_the_files_of_an_asset_and_keeps_its_id(
    ml: MLClient, azureml: Connection, name: str
) -> None:
    asset = ml.data.create_or_update(data_of(azureml, name))
    job = f"job-{name}"
    body = pipeline_body(azureml)
    inputs = next(iter(body["properties"]["jobs"].values()))["inputs"]
    inputs["train_file_path"] = {"job_input_type": "uri_file", "uri": asset.id}
    with rest_client(azureml) as rest:
        answer = rest.put(f"{workspace_path(azureml)}/jobs/{job}", json=body)
        assert answer.status_code == 201, answer.text
        steps = answer.json()["properties"]["jobs"]
    assert next(iter(steps.values()))["inputs"]["train_file_path"]["uri"] == asset.id
    node = NodeClient(azureml, f"node-{name}")
    work = node.next_job()
    assert work["assets"]["train_file_path"] == blob(azureml)
    node.complete(work)


def test_lists_longer_than_a_page_are_followed(
    ml: MLClient, azureml: Connection, name: str
) -> None:
    wanted = {f"v{number}" for number in range(PAGE_SIZE + 1)}
    body = {"properties": {"dataType": "uri_file", "dataUri": blob(azureml)}}
    with rest_client(azureml) as rest:
        for version in wanted:
            path = f"{workspace_path(azureml)}/data/{name}/versions/{version}"
            assert rest.put(path, json=body).is_success
        first = rest.get(f"{workspace_path(azureml)}/data/{name}/versions").json()
    assert len(first["value"]) == PAGE_SIZE
    assert {data.version for data in ml.data.list(name)} == wanted

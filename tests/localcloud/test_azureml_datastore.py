"""The default datastore: what the SDK uploads lands in the storage account, and jobs read it."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from azure.ai.ml import Input, MLClient
from azure.ai.ml._restclient.arm_ml_service import models
from azure.ai.ml._utils._asset_utils import get_storage_info_for_non_registry_asset
from azure.ai.ml.dsl import pipeline
from azure.ai.ml.entities import Model, SasTokenConfiguration
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobServiceClient
from azureml_conformity import lacks
from azureml_server import (
    ROOT,
    NodeClient,
    eventually,
    make_connection,
    ml_client,
    registry_client,
    rest_client,
    running,
    workspace_path,
)

from localcloud.compute.inputs import InputError, fetch_inputs
from localcloud.connection import Connection

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A workspace with a storage account."""
    connection = make_connection(tmp_path_factory.mktemp("stored"), ROOT / ".localcloud" / "cache")
    with (
        running(connection, "storage", connection.ports.azurite_blob),
        running(connection, "azureml", connection.ports.azureml),
    ):
        eventually(lambda: (connection.state_dir / "storage.ready").exists(), 60)
        yield connection


@pytest.fixture
def workspace(stored: Connection, monkeypatch: pytest.MonkeyPatch) -> MLClient:
    """The SDK; its storage clients find the certificate by the environment."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(stored.ca_bundle))
    return ml_client(stored)


def submit(workspace: MLClient, connection: Connection, **files: Input) -> str:
    component = registry_client(connection).components.get(
        "chat_completion_pipeline", label="latest"
    )
    model = registry_client(connection).models.get("Phi-3-mini-4k-instruct", label="latest")

    @pipeline()
    def fine_tuning() -> dict[str, object]:
        step = component(mlflow_model_path=Input(type="mlflow_model", path=model.id), **files)
        return {"trained_model": step.outputs.mlflow_model_folder}

    return str(workspace.jobs.create_or_update(fine_tuning(), experiment_name="uploads").name)


def test_default_datastore(workspace: MLClient) -> None:
    default = workspace.datastores.get_default()
    assert default.name == "workspaceblobstore"
    assert [store.name for store in workspace.datastores.list()] == [
        "workspaceblobstore",
        "workspaceartifactstore",
    ]
    with pytest.raises(ResourceNotFoundError):
        workspace.datastores.get("other")


def test_secrets_open_the_container(workspace: MLClient, stored: Connection) -> None:
    path = f"{workspace_path(stored)}/datastores/workspaceblobstore/listSecrets"
    with rest_client(stored) as rest:
        raw = rest.post(path).json()
    readers = (SasTokenConfiguration._from_datastore_rest_object,)
    assert lacks(models.DatastoreSecrets, readers, raw) == []
    default = workspace.datastores.get("workspaceblobstore", include_secrets=True)
    account = f"https://{default.account_name}.blob.{default.endpoint}"
    listing = f"{account}/{default.container_name}?restype=container&comp=list"
    with httpx2.Client(verify=False, trust_env=False) as client:
        answer = client.get(f"{listing}&{default.credentials.sas_token}")
    assert answer.status_code == 200, answer.text


def test_place_for_an_upload_of_code(stored: Connection) -> None:
    path = f"{workspace_path(stored)}/codes/mine/versions/1/startPendingUpload"
    with rest_client(stored) as rest:
        raw = rest.post(path, json={"pendingUploadType": "TemporaryBlobReference"}).json()
    readers = (get_storage_info_for_non_registry_asset,)
    assert lacks(models.PendingUploadResponseDto, readers, raw) == []


def test_local_file_of_a_job_reaches_the_node(
    workspace: MLClient, stored: Connection, tmp_path: Path
) -> None:
    rows = json.dumps({"messages": [{"role": "user", "content": "hi, Zoë"}]}) * 1000
    (tmp_path / "train rows.jsonl").write_text(rows)
    submit(
        workspace,
        stored,
        train_file_path=Input(type="uri_file", path=str(tmp_path / "train rows.jsonl")),
    )
    job = NodeClient(stored, "node").next_job()
    url = job["assets"]["train_file_path"]
    assert url.startswith(stored.storage.blob_url)
    found = fetch_inputs({"train": url}, stored.storage, tmp_path, tmp_path / "inputs")
    assert found["train"].read_text() == rows


def test_folder_is_fetched_with_all_that_is_below(stored: Connection, tmp_path: Path) -> None:
    service = BlobServiceClient.from_connection_string(stored.storage.connection_string)
    with service, service.get_container_client("folders") as blobs:
        blobs.create_container()
        for name in ("data/a.txt", "data/deep/b.txt", "database/c.txt"):
            blobs.upload_blob(name, name.encode())
    url = f"{stored.storage.blob_url}/folders/data"
    found = fetch_inputs({"data": url}, stored.storage, tmp_path, tmp_path / "inputs")["data"]
    files = {str(path.relative_to(found)) for path in found.rglob("*") if path.is_file()}
    assert files == {"a.txt", "deep/b.txt"}
    with pytest.raises(InputError, match="there is no blob"):
        fetch_inputs({"data": f"{url}/none"}, stored.storage, tmp_path, tmp_path / "inputs")


def test_nothing_but_the_datastore_is_reached_and_only_with_a_signature(
    stored: Connection, workspace: MLClient
) -> None:
    default = workspace.datastores.get_default()
    account = f"https://{default.account_name}.blob.{default.endpoint}"
    with httpx2.Client(verify=False, trust_env=False) as client:
        listing = {"restype": "container", "comp": "list"}
        unsigned = client.get(f"{account}/{default.container_name}", params=listing)
        other = client.get(f"{account}/tuneops", params=listing)
    assert unsigned.status_code in (401, 403)
    assert other.status_code == 404


def test_a_model_in_a_local_folder_is_registered(workspace: MLClient, tmp_path: Path) -> None:
    folder = tmp_path / "my model"
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {python_function: {loader_module: mine}}\n")
    (folder / "data" / "weights.bin").write_bytes(b"1")
    model = Model(path=folder, name="mine", version="1", type="mlflow_model")
    made = workspace.models.create_or_update(model)
    assert made.flavors == {"python_function": {"loader_module": "mine"}}
    workspace.models.download("mine", "1", download_path=tmp_path / "back")
    (weights,) = (tmp_path / "back").rglob("weights.bin")
    assert weights.read_bytes() == b"1"

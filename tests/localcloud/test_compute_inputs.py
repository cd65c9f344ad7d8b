"""How the compute node finds a job's inputs."""

from pathlib import Path

import pytest

from localcloud.compute.inputs import InputError, fetch_inputs
from localcloud.connection import Storage

STORAGE = Storage(
    account="devstoreaccount1",
    connection_string="UseDevelopmentStorage=true",
    blob_url="http://127.0.0.1:10000/devstoreaccount1",
    queue_url="http://127.0.0.1:10001/devstoreaccount1",
)


def fetch(tmp_path: Path, reference: str) -> Path:
    return fetch_inputs({"data": reference}, STORAGE, tmp_path / "base", tmp_path)["data"]


def test_local_path(tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text("{}\n")
    assert fetch(tmp_path, str(file)) == file


def test_foundation_model(tmp_path: Path) -> None:
    reference = "azureml://registries/azureml/models/Phi-3-mini-4k-instruct/versions/1"
    assert fetch(tmp_path, reference) == tmp_path / "base"


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("/no/such/file", "does not exist"),
        ("http://elsewhere.example/container/blob", "is not below"),
        ("http://127.0.0.1:10000/devstoreaccount1evil/c/b", "is not below"),
        ("http://127.0.0.1:10000/devstoreaccount1/container", "names no blob"),
    ],
)
def test_what_cannot_be_fetched(tmp_path: Path, reference: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        fetch(tmp_path, reference)

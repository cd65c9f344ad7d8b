"""Microsoft's tutorial runs against the local workspace as it would against Azure."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from azureml_server import ROOT, eventually, make_connection, ml_client, running, workspace_path

from localcloud.connection import Connection

pytestmark = pytest.mark.soak
SPLITS = {"train_sft": 60, "test_sft": 8, "test_gen": 1}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """Everything that the tutorial needs of Azure."""
    connection = make_connection(tmp_path_factory.mktemp("cloud"), ROOT / ".localcloud" / "cache")
    ports = connection.ports
    with (
        running(connection, "storage", ports.azurite_blob),
        running(connection, "platform", ports.platform),
        running(connection, "azureml", ports.azureml),
        running(connection, "compute"),
    ):
        eventually(lambda: (connection.state_dir / "compute.ready").exists(), 240)
        yield connection


def write_splits(folder: Path) -> None:
    """Rows in the shape of ultrachat_200k."""
    rows = [
        {"prompt": f"Say {number}", "prompt_id": str(number), "messages": conversation(number)}
        for number in range(sum(SPLITS.values()))
    ]
    for split, count in SPLITS.items():
        taken, rows = rows[:count], rows[count:]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in taken))


def conversation(number: int) -> list[dict[str, str]]:
    return [
        {"role": "user", "content": f"Say {number}"},
        {"role": "assistant", "content": f"{number}!"},
    ]


def environment(cloud: Connection) -> dict[str, str]:
    """What tells Azure's SDKs of another cloud, and nothing of the process that tests."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("AZUREML_")}
    return {
        **own,
        "ARM_CLOUD_METADATA_URL": f"{cloud.azureml_url}/metadata/endpoints",
        "REGISTRY_DISCOVERY_ENDPOINT_URL": cloud.azureml_url,
        "REQUESTS_CA_BUNDLE": str(cloud.ca_bundle),
        "SSL_CERT_FILE": str(cloud.ca_bundle),
        "IDENTITY_ENDPOINT": cloud.identity.endpoint,
        "IDENTITY_HEADER": cloud.identity.header,
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def test_every_cell_of_the_tutorial(
    cloud: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_splits(tmp_path)
    ids = {
        "subscription_id": cloud.subscription_id,
        "resource_group": cloud.resource_group,
        "workspace_name": cloud.workspace,
    }
    (tmp_path / "config.json").write_text(json.dumps(ids))
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "tutorial.py"), str(tmp_path)],
        cwd=tmp_path,
        env=environment(cloud),
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    said = done.stdout
    assert "Number of GPUs in compute STANDARD_NC24RS_V3: 4" in said
    assert "Phi-3-mini-4k-instruct-ultrachat-bs4-cosine-ds2-lora-save_limit-1-seqlen256" in said
    assert "exact_match" in said
    assert "eval_loss" in said
    answer = json.loads(said.partition("raw response: ")[2].splitlines()[0])
    assert answer

    ml = ml_client(cloud)
    model = ml.models.get("Phi-3-mini-4k-instruct-ultrachat-200k", label="latest")
    assert f"registered model: {model.id}" in said
    assert model.id.startswith(workspace_path(cloud))
    assert ml.jobs.get(model.job_name).status == "Completed"
    assert list(ml.online_endpoints.list()) == []

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cloud.ca_bundle))
    ml.jobs.download(model.job_name, output_name="trained_model", download_path=tmp_path)
    assert (tmp_path / "named-outputs" / "trained_model" / "MLmodel").is_file()
    ml.jobs.download(model.job_name, all=True, download_path=tmp_path / "all")
    execution_log = tmp_path / "all" / "artifacts" / "logs" / "azureml" / "executionlogs.txt"
    assert "Step chat_completion_finetune: Completed" in execution_log.read_text()
    assert "Step chat_completion_finetune: Completed" in said
    ml.models.download(model.name, model.version, download_path=tmp_path)
    assert (tmp_path / model.name / "mlflow_model_folder" / "MLmodel").is_file()

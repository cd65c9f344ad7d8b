"""Command jobs from end to end: the SDK submits them and a real compute node runs them."""

import json
import signal
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import psutil
import pytest
from azure.ai.ml import Input, MLClient, Output, command
from azure.ai.ml.entities import AzureBlobDatastore, Environment, ManagedIdentityConfiguration
from azure.ai.ml.exceptions import JobException
from azureml_server import (
    container,
    ended,
    eventually,
    ml_client,
    rest_client,
    running,
    workspace_path,
)

from localcloud.connection import Connection

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]

ENVIRONMENT = Environment(
    name="tuneops-data",
    version="1",
    image="mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04",
    conda_file={"name": "data", "dependencies": ["python=3.11"]},
)
PREPARE = """
    import argparse, json, os, pathlib
    parser = argparse.ArgumentParser()
    for name in ("data", "folder", "rows", "out", "other"):
        parser.add_argument(f"--{name}")
    args = parser.parse_args()
    lines = pathlib.Path(args.data).read_text().splitlines()[: int(args.rows)]
    out = pathlib.Path(args.out, "deep")
    out.mkdir()
    (out / "rows.jsonl").write_text("".join(f"{line}\\n" for line in lines))
    seen = {"x": json.loads(os.environ["X"]), "files": sorted(os.listdir(args.folder))}
    pathlib.Path(args.other, "seen.json").write_text(json.dumps(seen))
    print("prepared", len(lines), "rows")
"""


@pytest.fixture
def ml(cloud: Connection, monkeypatch: pytest.MonkeyPatch) -> MLClient:
    """The SDK; its storage clients find the certificate by the environment."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cloud.ca_bundle))
    return ml_client(cloud)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder with a package."""
    package = tmp_path / "code" / "pkg"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "job.py").write_text(textwrap.dedent(PREPARE))
    return package.parent


def put_data(connection: Connection) -> str:
    """Data in a container of the account; gives the container's address."""
    blobs = container(connection, "datasets")
    if not blobs.exists():
        blobs.create_container()
        blobs.upload_blob("bot/x.jsonl", b"".join(b'{"n": %d}\n' % n for n in range(9)))
    return f"{connection.storage.blob_url}/datasets"


def submit(ml: MLClient, name: str, line: str, **more: Any) -> str:
    job = command(
        name=name, command=line, environment=ENVIRONMENT, experiment_name="commands", **more
    )
    return str(ml.jobs.create_or_update(job).name)


def error_of(connection: Connection, name: str) -> dict[str, Any]:
    with rest_client(connection) as rest:
        path = f"/history/v1.0{workspace_path(connection)}/runs/{name}/details"
        return rest.get(path).json()["error"]["error"]


def test_prepared_data_is_where_the_job_was_told_to_put_it(
    cloud: Connection, ml: MLClient, code: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = put_data(cloud)
    ml.datastores.create_or_update(
        AzureBlobDatastore(
            name="tuneops_prepared",
            account_name=cloud.storage.account,
            container_name="prepared",
        )
    )

    def prepare() -> Any:
        return command(
            name="prep-0123",
            display_name="Prepare bot",
            experiment_name="bot",
            tags={"tuneops.project": "bot"},
            code=str(code),
            command=(
                "python -m pkg.job --data ${{inputs.data}} --folder ${{inputs.folder}} "
                "--rows ${{inputs.rows}} --out ${{outputs.prepared}} --other ${{outputs.other}}"
            ),
            environment=ENVIRONMENT,
            environment_variables={"X": json.dumps({"a": 1})},
            inputs={
                "data": Input(type="uri_file", path=f"{data}/bot/x.jsonl", mode="ro_mount"),
                "folder": Input(type="uri_folder", path=f"{data}/bot/", mode="ro_mount"),
                "rows": 5,
            },
            outputs={
                "prepared": Output(
                    type="uri_folder",
                    path="azureml://datastores/tuneops_prepared/paths/bot/key",
                    mode="rw_mount",
                ),
                "other": Output(type="uri_folder"),
            },
            compute="gpu-cluster",
            identity=ManagedIdentityConfiguration(),
        )

    ml.jobs.create_or_update(prepare())
    ml.jobs.create_or_update(prepare())
    ml.jobs.stream("prep-0123")
    assert "RunId: prep-0123" in capsys.readouterr().out
    assert ended(ml, "prep-0123") == "Completed"

    prepared = container(cloud, "prepared").download_blob("bot/key/deep/rows.jsonl").readall()
    assert prepared.count(b"\n") == 5
    ml.jobs.download("prep-0123", download_path=tmp_path / "back", all=True)
    named = tmp_path / "back" / "named-outputs"
    assert (named / "prepared" / "deep" / "rows.jsonl").read_bytes() == prepared
    seen = json.loads((named / "other" / "seen.json").read_text())
    assert seen == {"x": {"a": 1}, "files": ["x.jsonl"]}
    log = tmp_path / "back" / "artifacts" / "user_logs" / "std_log.txt"
    assert log.read_text() == "prepared 5 rows\n"


def test_serverless_job_reads_what_another_one_made(
    cloud: Connection, ml: MLClient, tmp_path: Path
) -> None:
    submit(ml, "maker", "echo made > ${{outputs.made}}/a.txt", outputs={"made": Output()})
    inputs = {"made": Input(type="uri_folder", path="azureml://jobs/maker/outputs/made")}
    assert ended(ml, "maker") == "Completed"
    line = "cp ${{inputs.made}}/a.txt ${{outputs.copy}}"
    outputs = {"copy": Output(type="uri_file")}
    submit(ml, "reader", line, inputs=inputs, outputs=outputs, instance_type="Standard_DS3_v2")
    assert ended(ml, "reader") == "Completed"
    ml.jobs.download("reader", download_path=tmp_path, output_name="copy")
    (copy,) = [path for path in (tmp_path / "named-outputs").rglob("*") if path.is_file()]
    assert copy.read_text() == "made\n"


def test_failure_says_why_and_uploads_nothing(cloud: Connection, ml: MLClient) -> None:
    line = "touch ${{outputs.out}}/half; echo no such column >&2; exit 3"
    submit(ml, "failing", line, outputs={"out": Output()})
    assert ended(ml, "failing") == "Failed"
    error = error_of(cloud, "failing")
    assert error["code"] == "UserError"
    assert "exit code 3" in error["message"]
    assert "no such column" in error["message"]
    with pytest.raises(JobException, match="no such column"):
        ml.jobs.stream("failing")
    own = container(cloud, ml.datastores.get_default().container_name)
    assert not own.exists() or not list(own.list_blob_names(name_starts_with="azureml/failing"))


def test_input_that_is_not_there(cloud: Connection, ml: MLClient) -> None:
    path = f"{put_data(cloud)}/none.jsonl"
    submit(ml, "lost", "cat ${{inputs.data}}", inputs={"data": Input(type="uri_file", path=path)})
    assert ended(ml, "lost") == "Failed"
    assert "there is no blob" in error_of(cloud, "lost")["message"]


def sleeping(seconds: str) -> int:
    """How many processes sleep for just so long."""
    lines = (process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"]))
    return sum(line == ["sleep", seconds] for line in lines)


def test_cancelling_ends_everything_that_runs(cloud: Connection, ml: MLClient) -> None:
    submit(ml, "endless", "echo begun; sleep 61.5 & sleep 61.5")
    eventually(lambda: sleeping("61.5") == 2)
    ml.jobs.begin_cancel("endless").wait(20)
    assert ended(ml, "endless") == "Canceled"
    eventually(lambda: sleeping("61.5") == 0)


def test_a_job_that_takes_too_long_is_cancelled(
    cloud: Connection, ml: MLClient, capsys: pytest.CaptureFixture[str]
) -> None:
    job = command(name="slow", command="sleep 63.5", environment=ENVIRONMENT)
    job.set_limits(timeout=1)
    ml.jobs.create_or_update(job)
    assert ended(ml, "slow") == "Canceled"
    assert sleeping("63.5") == 0
    ml.jobs.stream("slow")
    assert "took longer than its limit of 1 s" in capsys.readouterr().out


def test_job_of_a_node_that_was_killed_runs_again(
    cloud: Connection, node: "subprocess.Popen[bytes]", ml: MLClient, tmp_path: Path
) -> None:
    marker = tmp_path / "begun"
    submit(ml, "again", f"test -e {marker} && echo twice && exit; touch {marker}; sleep 62.5")
    eventually(lambda: sleeping("62.5") == 1)
    node.send_signal(signal.SIGKILL)
    node.wait()
    eventually(lambda: sleeping("62.5") == 0)
    with running(cloud, "compute"):
        assert ended(ml, "again") == "Completed"
    ml.jobs.download("again", download_path=tmp_path)
    log = tmp_path / "artifacts" / "user_logs" / "std_log.txt"
    assert log.read_text() == "twice\n"

"""Pipelines of several steps from end to end: the SDK submits them and a real node runs them."""

import json
import signal
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml import Input, MLClient, Output, command, dsl
from azure.ai.ml.entities import AzureBlobDatastore, Environment, ManagedIdentityConfiguration
from azure.ai.ml.exceptions import JobException
from azure.ai.ml.parallel import RunFunction, parallel_run_function
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
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

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ENVIRONMENT = Environment(
    name="tuneops-data", version="1", image="mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
)
ENTRY = """
    import argparse, os, pathlib, time

    def init():
        global out
        parser = argparse.ArgumentParser()
        parser.add_argument("--checked")
        out = pathlib.Path(parser.parse_known_args()[0].checked)
        (out / f"init-{os.getpid()}").touch()

    def run(mini_batch):
        kept = []
        for name in map(pathlib.Path, mini_batch):
            lines = name.read_text().splitlines()
            if "bad" in lines:
                raise ValueError(f"{name.name} has a bad row")
            if "short" in lines:
                continue
            if "slow" in lines:
                time.sleep(60)
            (out / name.name).write_text(f"{len(lines)} {os.environ['MARK']}")
            print(f"checked {name.name}\\n", end="")  # one write: others write as well
            kept.append(name.name)
        return kept
"""
MERGE = """
    import json, pathlib, sys
    checked, prepared, rows = sys.argv[1:]
    files = {path.name: path.read_text() for path in sorted(pathlib.Path(checked).iterdir())}
    seen = {"files": {k: v for k, v in files.items() if not k.startswith("init-")}, "rows": rows}
    seen["workers"] = sum(name.startswith("init-") for name in files)
    pathlib.Path(prepared, "seen.json").write_text(json.dumps(seen))
    print("merged", len(files))
"""


@pytest.fixture
def ml(cloud: Connection, monkeypatch: pytest.MonkeyPatch) -> MLClient:
    """The SDK; its storage clients find the certificate by the environment."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cloud.ca_bundle))
    return ml_client(cloud)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """The scripts of the steps."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "entry.py").write_text(textwrap.dedent(ENTRY))
    (folder / "merge.py").write_text(textwrap.dedent(MERGE))
    return folder


def put_files(connection: Connection, folder: str, **files: str) -> Input:
    """Files in a container of the account, as an input."""
    blobs = container(connection, "datasets")
    if not blobs.exists():
        blobs.create_container()
    for name, text in files.items():
        blobs.upload_blob(f"{folder}/deep/{name}.txt", text, overwrite=True)
    return Input(type="uri_folder", path=f"{connection.storage.blob_url}/datasets/{folder}/")


def check_step(code: Path, **more: Any) -> Any:
    given: dict[str, Any] = {
        "name": "check",
        "inputs": {"data": Input(type="uri_folder", mode="ro_mount")},
        "outputs": {"checked": Output(type="uri_folder", mode="rw_mount")},
        "input_data": "${{inputs.data}}",
        "instance_count": 2,
        "max_concurrency_per_instance": 2,
        "mini_batch_size": "1",
        "mini_batch_error_threshold": 0,
        "error_threshold": 0,
        "retry_settings": {"max_retries": 1, "timeout": 3600},
        "logging_level": "INFO",
        "environment_variables": {"MARK": "x"},
    }
    task = RunFunction(
        code=str(code),
        entry_script="entry.py",
        environment=ENVIRONMENT,
        program_arguments="--checked ${{outputs.checked}}",
    )
    return parallel_run_function(**(given | {"task": task} | more))


def merge_step(code: Path, **more: Any) -> Any:
    given: dict[str, Any] = {
        "name": "merge",
        "code": str(code),
        "command": "python merge.py ${{inputs.checked}} ${{outputs.prepared}} ${{inputs.rows}}",
        "environment": ENVIRONMENT,
        "inputs": {"checked": Input(type="uri_folder"), "rows": 5},
        "outputs": {"prepared": Output(type="uri_folder")},
    }
    return command(**(given | more))


def pipeline(name: str, check: Any, merge: Any, data: Input, **more: Any) -> Any:
    """A job that checks files side by side and merges what came of it."""

    @dsl.pipeline(name="prepare", default_compute="gpu-cluster")
    def prepare(data: Input) -> dict[str, Any]:
        checked = check(data=data)
        merged = merge(checked=checked.outputs.checked)
        return {"prepared": merged.outputs.prepared}

    job = prepare(data=data)
    job.name = name
    job.experiment_name = "prepare"
    for key, value in more.items():
        setattr(job, key, value)
    return job


def steps_of(connection: Connection, name: str) -> dict[str, dict[str, Any]]:
    """The details of the job's child runs by the names of the steps."""
    with rest_client(connection) as rest:
        path = f"/history/v1.0{workspace_path(connection)}/runs"
        runs = rest.get(f"{path}/{name}/children").json()["value"]
        found = {run["displayName"]: rest.get(f"{path}/{run['runId']}/details") for run in runs}
    return {step: answer.json() for step, answer in found.items()}


def log_of(connection: Connection, run: dict[str, Any]) -> str:
    """What a step printed."""
    blobs = container(connection, "azureml")
    path = f"ExperimentRun/dcid.{run['runId']}/user_logs/std_log.txt"
    return blobs.download_blob(path).readall().decode()


def test_parallel_step_and_command(
    cloud: Connection, ml: MLClient, code: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ml.datastores.create_or_update(
        AzureBlobDatastore(
            name="tuneops_prepared",
            account_name=cloud.storage.account,
            container_name="prepared",
        )
    )
    data = put_files(cloud, "good", a="1\n2", b="1", c="1\n2\n3")
    job = pipeline(
        "prep-0123",
        check_step(code),
        merge_step(code),
        data,
        tags={"tuneops.project": "bot"},
        identity=ManagedIdentityConfiguration(),
    )
    path = "azureml://datastores/tuneops_prepared/paths/bot/key"
    job.outputs.prepared = Output(type="uri_folder", path=path, mode="rw_mount")
    made = ml.jobs.create_or_update(job)
    assert (made.experiment_name, made.tags) == ("prepare", {"tuneops.project": "bot"})
    ml.jobs.create_or_update(job)
    ml.jobs.stream("prep-0123")
    assert "RunId: prep-0123" in capsys.readouterr().out

    prepared = container(cloud, "prepared").download_blob("bot/key/seen.json").readall()
    seen = json.loads(prepared)
    assert seen["files"] == {"a.txt": "2 x", "b.txt": "1 x", "c.txt": "3 x"}
    assert 1 <= seen["workers"] <= 3
    assert seen["rows"] == "5"
    ml.jobs.download("prep-0123", download_path=tmp_path / "back", output_name="prepared")
    assert (tmp_path / "back/named-outputs/prepared/seen.json").read_bytes() == prepared

    runs = steps_of(cloud, "prep-0123")
    assert {step: run["status"] for step, run in runs.items()} == {
        "check": "Completed",
        "merged": "Completed",
    }
    assert "3 mini batches, 3 worker processes" in log_of(cloud, runs["check"])
    assert "checked a.txt" in log_of(cloud, runs["check"])
    assert "merged" in log_of(cloud, runs["merged"])
    children = {child.display_name: child for child in ml.jobs.list(parent_job_name="prep-0123")}
    ml.jobs.download(children["check"].name, download_path=tmp_path / "step", all=True)
    assert (tmp_path / "step/named-outputs/checked/a.txt").read_text() == "2 x"


def test_failed_mini_batch_fails_the_job(cloud: Connection, ml: MLClient, code: Path) -> None:
    data = put_files(cloud, "bad", a="1", b="bad")
    ml.jobs.create_or_update(pipeline("bad-batch", check_step(code), merge_step(code), data))
    assert ended(ml, "bad-batch") == "Failed"
    runs = steps_of(cloud, "bad-batch")
    assert {step: run["status"] for step, run in runs.items()} == {"check": "Failed"}
    with pytest.raises(JobException, match=r"check: 1 of 2 mini batches failed.*bad row"):
        ml.jobs.stream("bad-batch")
    error = runs["check"]["error"]["error"]
    assert error["code"] == "UserError"
    assert "b.txt: ValueError: b.txt has a bad row" in error["message"]
    assert "Try 2 of 2 of b.txt failed" in log_of(cloud, runs["check"])


def test_failures_that_may_be_are_ignored(
    cloud: Connection, ml: MLClient, code: Path, tmp_path: Path
) -> None:
    data = put_files(cloud, "some", a="1", b="bad", c="slow", d="1", e="short")
    check = check_step(
        code,
        mini_batch_size="2",
        mini_batch_error_threshold=-1,
        error_threshold=-1,
        retry_settings={"max_retries": 0, "timeout": 1},
        outputs={"checked": Output(type="uri_folder"), "rows": Output(type="uri_file")},
        task=RunFunction(
            code=str(code),
            entry_script="entry.py",
            environment=ENVIRONMENT,
            program_arguments="--checked ${{outputs.checked}}",
            append_row_to="${{outputs.rows}}",
        ),
    )
    ml.jobs.create_or_update(pipeline("some-bad", check, merge_step(code), data))
    assert ended(ml, "some-bad") == "Completed"
    ml.jobs.download("some-bad", download_path=tmp_path, output_name="prepared")
    seen = json.loads((tmp_path / "named-outputs/prepared/seen.json").read_text())
    assert set(seen["files"]) == {"a.txt"}
    log = log_of(cloud, steps_of(cloud, "some-bad")["check"])
    assert "run() took longer than 1 s" in log
    assert "3 mini batches and 5 files failed" in log


def test_unknown_binding_is_refused(cloud: Connection, ml: MLClient, code: Path) -> None:
    data = put_files(cloud, "good", a="1")
    job = pipeline("unbound", check_step(code), merge_step(code), data)
    job.jobs["merged"].inputs.checked = "${{parent.jobs.check.outputs.none}}"
    with pytest.raises(HttpResponseError, match=r"bound to .*outputs.none.*does not have"):
        ml.jobs.create_or_update(job)
    with pytest.raises(ResourceNotFoundError):
        ml.jobs.get("unbound")


def test_serverless_steps_with_a_value_for_the_job(
    cloud: Connection, ml: MLClient, code: Path, tmp_path: Path
) -> None:
    make = command(
        code=str(code),
        command="echo ${{inputs.text}} > ${{outputs.made}}/a.txt",
        environment="tuneops-data:1",
        inputs={"text": "unset"},
        outputs={"made": Output(type="uri_folder")},
        instance_type="Standard_DS3_v2",
    )
    show = command(
        command="cp ${{inputs.made}}/a.txt ${{outputs.shown}}",
        environment="tuneops-data@latest",
        inputs={"made": Input(type="uri_folder")},
        outputs={"shown": Output(type="uri_file")},
        compute="gpu-cluster",
    )

    @dsl.pipeline(default_compute="serverless")
    def both(text: str) -> dict[str, Any]:
        made = make(text=text)
        shown = show(made=made.outputs.made)
        return {"shown": shown.outputs.shown}

    ml.environments.create_or_update(ENVIRONMENT)
    job = both(text="a b")
    job.name = "serverless"
    ml.jobs.create_or_update(job)
    assert ended(ml, "serverless") == "Completed"
    ml.jobs.download("serverless", download_path=tmp_path, output_name="shown")
    (shown,) = [path for path in (tmp_path / "named-outputs").rglob("*") if path.is_file()]
    assert shown.read_text() == "a b\n"


def test_command_that_fails(cloud: Connection, ml: MLClient, code: Path) -> None:
    data = put_files(cloud, "good", a="1")
    merge = merge_step(code, command="ls ${{inputs.checked}} ${{outputs.prepared}}; exit 3")
    ml.jobs.create_or_update(pipeline("bad-merge", check_step(code), merge, data))
    assert ended(ml, "bad-merge") == "Failed"
    with pytest.raises(JobException, match="merged: The command ended with exit code 3"):
        ml.jobs.stream("bad-merge")
    runs = steps_of(cloud, "bad-merge")
    assert [runs[step]["status"] for step in ("check", "merged")] == ["Completed", "Failed"]


def test_cancelling_ends_the_running_step(cloud: Connection, ml: MLClient, code: Path) -> None:
    data = put_files(cloud, "slow", a="slow", b="slow")
    ml.jobs.create_or_update(pipeline("endless", check_step(code), merge_step(code), data))
    eventually(lambda: "check" in steps_of(cloud, "endless"))
    with rest_client(cloud) as rest:
        cluster = rest.get(f"{workspace_path(cloud)}/computes/gpu-cluster").json()
    assert cluster["properties"]["properties"]["currentNodeCount"] == 1
    ml.jobs.begin_cancel("endless").wait(20)
    assert ended(ml, "endless") == "Canceled"
    assert steps_of(cloud, "endless")["check"]["status"] == "Canceled"


@pytest.mark.soak
def test_job_of_a_node_that_was_killed_runs_again(
    cloud: Connection, node: "subprocess.Popen[bytes]", ml: MLClient, code: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "begun"
    line = f"echo ${{{{inputs.checked}}}}; test -e {marker} || {{ touch {marker}; sleep 63.5; }}"
    merge = merge_step(code, command=f"{line}; touch ${{{{outputs.prepared}}}}/done")
    data = put_files(cloud, "good", a="1")
    ml.jobs.create_or_update(pipeline("again", check_step(code), merge, data))
    eventually(marker.exists)
    node.send_signal(signal.SIGKILL)
    node.wait()
    with running(cloud, "compute"):
        assert ended(ml, "again") == "Completed"
    assert {run["status"] for run in steps_of(cloud, "again").values()} == {"Completed"}

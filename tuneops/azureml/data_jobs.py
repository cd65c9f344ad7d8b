"""Preparation of data that is more than a function takes: `tuneops.data.job` as a command job.

Where training has several nodes, a folder's files are shared out to as many first: a pipeline whose
steps `tuneops.data.share` run side by side.
"""

import logging
import os
import shutil
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from azure.storage.blob import ContainerClient

import tuneops
from tuneops import names
from tuneops.azureml.errors import RefusedError, azure_errors
from tuneops.azureml.jobs import MAX_DISPLAY_NAME, building, job_identity, observe
from tuneops.azureml.workspace import Workspace
from tuneops.config import SERVERLESS, InstanceTypes
from tuneops.data.job import TASK, Task
from tuneops.data.settings import HubData
from tuneops.release import Release

PREPARE, SHARE = "python -m tuneops.data.job", "python -m tuneops.data.share"
MAX_SECONDS = 24 * 60 * 60
DATASTORE = "tuneops_prepared"
IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
PACKAGES = (
    "azure-storage-blob",
    "backports.zstd",
    "datasets",
    "httpx2",
    "jinja2",
    "orjson",
    "pyarrow",
    "pydantic",
    "xxhash",
)
"""What `tuneops.data.job` imports, in the versions that run here."""

log = logging.getLogger(__name__)


def submit(
    workspace: Workspace, release: Release, task: Task, url: str, target: ContainerClient
) -> None:
    """Submit the job that prepares the release's data, under its deterministic name.

    `url` is where uploaded data is; what is made goes to `task.folder` of the container `target`.
    Twice gives one job, also where the second time something differs, such as the name under which
    the SDK has uploaded the code: Azure refuses that as a change of the job.

    Raises:
        RefusedError: the workspace does not accept the job.
        UnavailableError: the workspace can't be asked now.
    """
    name = release.data_job_name
    try:
        _submit(workspace, release, task, url, target)
    except RefusedError as error:
        if observe(workspace, name) is None:
            raise
        log.info("it is there already: %s", error)


def _submit(
    workspace: Workspace, release: Release, task: Task, url: str, target: ContainerClient
) -> None:
    name = release.data_job_name
    with azure_errors(f"submitting job {name}"), TemporaryDirectory() as folder:
        workspace.ml.datastores.create_or_update(_datastore(target))
        package = Path(tuneops.__file__).parent
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(package, Path(folder, package.name), ignore=ignored)
        workspace.ml.jobs.create_or_update(_job(release, task, url, folder))


def _job(release: Release, task: Task, url: str, code: str) -> Any:
    job = (
        _prepare(release, task, code, _inputs(task, url), _target(task))
        if task.shares == 1
        else _in_shares(release, task, url, code)
    )
    job.name = release.data_job_name
    job.display_name = f"{release.project}: prepare {task.source}"[:MAX_DISPLAY_NAME]
    job.experiment_name = f"{names.asset_name(release.project)}-data"
    job.tags = release.tags
    job.identity = job_identity(release.config.compute.identity)
    return job


def _in_shares(release: Release, task: Task, url: str, code: str) -> Any:
    """Steps that check a share of the files each, and one that puts together what they found."""
    from azure.ai.ml import Input, Output
    from azure.ai.ml.dsl import pipeline

    def shared_preparation() -> dict[str, Any]:
        found: dict[str, Any] = {}
        for number in range(task.shares):
            line = f"{SHARE} {number} ${{{{outputs.checked}}}} ${{{{inputs.data}}}}"
            output = {"checked": Output(type="uri_folder", mode="rw_mount")}
            step = _command(release, task, code, line, _inputs(task, url), output)()
            step.name = f"share_{number}"
            found[f"checked_{number}"] = step.outputs.checked
        inputs = {name: Input(type="uri_folder", mode="ro_mount") for name in found}
        output = {"prepared": Output(type="uri_folder", mode="rw_mount")}
        step = _prepare(release, task, code, inputs, output)(**found)
        step.name = "prepare"
        return {"prepared": step.outputs.prepared}

    with building:
        job = pipeline(shared_preparation, name="prepare_in_shares")()
    job.outputs["prepared"] = _target(task)["prepared"]
    return job


def _prepare(
    release: Release, task: Task, code: str, inputs: dict[str, Any], outputs: dict[str, Any]
) -> Any:
    line = " ".join([PREPARE, "${{outputs.prepared}}", *(f"${{{{inputs.{n}}}}}" for n in inputs)])
    return _command(release, task, code, line, inputs, outputs)


def _command(
    release: Release,
    task: Task,
    code: str,
    line: str,
    inputs: dict[str, Any],
    outputs: dict[str, Any],
) -> Any:
    """A command on the project's compute."""
    from azure.ai.ml import command

    wanted = release.config.compute
    job = command(
        code=code,
        command=line,
        environment=_environment(),
        environment_variables={TASK: task.model_dump_json(), **_hub_settings()},
        inputs=inputs,
        outputs=outputs,
        compute=SERVERLESS if wanted.serverless else wanted.name,
    )
    job.set_limits(timeout=MAX_SECONDS)
    if wanted.serverless:
        types = wanted.instance_types or InstanceTypes()
        job.set_resources(instance_type=types.preprocess, instance_count=1)
    return job


def _inputs(task: Task, url: str) -> dict[str, Any]:
    """The uploaded data; none for data of the hub."""
    from azure.ai.ml import Input

    if isinstance(task.config.data, HubData):
        return {}
    kind = "uri_folder" if task.files else "uri_file"
    return {"data": Input(type=kind, path=url, mode="ro_mount")}


def _target(task: Task) -> dict[str, Any]:
    from azure.ai.ml import Output

    path = f"azureml://datastores/{DATASTORE}/paths/{task.folder}"
    return {"prepared": Output(type="uri_folder", path=path, mode="rw_mount")}


def _hub_settings() -> dict[str, str]:
    """Which hub to ask; a token stays here, since whoever sees the job sees its environment."""
    return {name: os.environ[name] for name in ("HF_ENDPOINT",) if name in os.environ}


def _environment() -> Any:
    from azure.ai.ml.entities import Environment

    packages = [f"{name}=={version(name)}" for name in PACKAGES]
    return Environment(
        name="tuneops-data",
        version=names.digest(IMAGE, packages),
        image=IMAGE,
        conda_file={
            "channels": ["conda-forge"],
            "dependencies": ["python=3.11", "pip", {"pip": packages}],
        },
    )


def _datastore(target: ContainerClient) -> Any:
    """The container for prepared data as the workspace knows it; jobs use their own identity."""
    from azure.ai.ml.entities import AzureBlobDatastore

    endpoint = str(target.primary_hostname).partition(".blob.")[2]
    return AzureBlobDatastore(
        name=DATASTORE,
        account_name=str(target.account_name),
        container_name=target.container_name,
        endpoint=endpoint or "core.windows.net",
    )

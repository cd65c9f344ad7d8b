"""Preparation of data that is more than a function takes: `tuneops.data.job` as a command job."""

import os
import shutil
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from azure.storage.blob import ContainerClient

import tuneops
from tuneops import names
from tuneops.azureml.errors import azure_errors
from tuneops.azureml.jobs import job_identity
from tuneops.azureml.workspace import Workspace
from tuneops.config import HubData, InstanceTypes
from tuneops.data.job import TASK, Task
from tuneops.release import Release

COMMAND = "python -m tuneops.data.job ${{outputs.prepared}}"
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


def submit(
    workspace: Workspace, release: Release, task: Task, url: str, target: ContainerClient
) -> None:
    """Submit the job that prepares the release's data, under its deterministic name.

    `url` is where uploaded data is; what is made goes to `task.folder` of the container `target`.

    Raises:
        RefusedError: the workspace does not accept the job.
        UnavailableError: the workspace can't be asked now.
    """
    name = release.data_job_name
    with azure_errors(f"submitting job {name}"), TemporaryDirectory() as folder:
        workspace.ml.datastores.create_or_update(_datastore(target))
        package = Path(tuneops.__file__).parent
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(package, Path(folder, package.name), ignore=ignored)
        workspace.ml.jobs.create_or_update(_job(release, task, url, folder))


def _job(release: Release, task: Task, url: str, code: str) -> Any:
    from azure.ai.ml import Output, command

    wanted = release.config.compute
    inputs = {} if isinstance(release.config.data, HubData) else {"data": _input(task, url)}
    target = f"azureml://datastores/{DATASTORE}/paths/{task.folder}"
    job = command(
        name=release.data_job_name,
        display_name=f"{release.project}: prepare {task.source}"[:256],
        experiment_name=f"{release.project}-data",
        code=code,
        command=" ".join([COMMAND, *(f"${{{{inputs.{name}}}}}" for name in inputs)]),
        environment=_environment(),
        environment_variables={TASK: task.model_dump_json(), **_hub_settings()},
        inputs=inputs,
        outputs={"prepared": Output(type="uri_folder", path=target, mode="rw_mount")},
        compute=None if wanted.serverless else wanted.name,
        identity=job_identity(wanted.identity),
        tags=release.tags,
    )
    job.set_limits(timeout=MAX_SECONDS)
    if wanted.serverless:
        types = wanted.instance_types or InstanceTypes()
        job.set_resources(instance_type=types.preprocess, instance_count=1)
    return job


def _input(task: Task, url: str) -> Any:
    from azure.ai.ml import Input

    return Input(type="uri_folder" if task.files else "uri_file", path=url, mode="ro_mount")


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

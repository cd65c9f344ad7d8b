"""What a job leaves in the storage account: the logs of its steps, and its outputs."""

import logging
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from azure.core.exceptions import AzureError, ResourceExistsError
from azure.storage.blob import BlobClient, BlobServiceClient, ContainerClient

from localcloud.connection import Storage

LOG = logging.getLogger(__name__)

EXECUTION_LOG = "logs/azureml/executionlogs.txt"
STEP_LOG = "user_logs/std_log.txt"
PATIENTLY: dict[str, Any] = {"retry_total": 4, "initial_backoff": 1, "increment_base": 3}
"""For outputs, which are not lost when the storage account is away for half a minute."""
AT_ONCE: dict[str, Any] = {"retry_total": 0}
"""For logs, and where there may be no storage account at all."""


def open_container(storage: Storage, name: str) -> ContainerClient | None:
    """The container, made when it is not there; None without a storage account."""
    text = storage.connection_string
    service = BlobServiceClient.from_connection_string(text, **PATIENTLY)
    container = service.get_container_client(name)
    try:
        with suppress(ResourceExistsError):
            container.create_container(**AT_ONCE)
    except AzureError as error:
        LOG.warning("no storage account, nothing is kept there: %s", type(error).__name__)
        return None
    return container


def upload_folder(container: ContainerClient, folder: Path, path: str) -> None:
    """Put all files of a folder below `path`; once more does no harm.

    Raises:
        AzureError: the storage account does not take them.
    """
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            with file.open("rb") as content:
                name = f"{path}/{file.relative_to(folder).as_posix()}"
                container.upload_blob(name, content, overwrite=True)


def keep_output(container: ContainerClient | None, made: Path, path: str) -> None:
    """Put a file or a folder that a command made at a path.

    Raises:
        AzureError: the storage account does not take it.
    """
    if container is None:
        return
    if made.is_file():
        with made.open("rb") as content:
            container.upload_blob(path, content, overwrite=True)
    else:
        upload_folder(container, made, path)


def serve_output(made: Path, output: Mapping[str, Any]) -> None:
    """Move what a command made to the folder that serves the workspace, if it has one."""
    if output["folder"] and made.exists():
        final = Path(output["folder"])
        shutil.rmtree(final, ignore_errors=True)
        final.parent.mkdir(parents=True, exist_ok=True)
        made.rename(final)


class CommandLog:
    """What a command prints, as Azure ML keeps it. A log that can't be written stops no job."""

    def __init__(self, container: ContainerClient | None, job: str) -> None:
        self._container = container
        self._path = log_path(job, STEP_LOG)
        _create(container, self._path)

    def write(self, text: bytes) -> None:
        """Add to the log."""
        _append(self._container, self._path, text)


class JobLogs:
    """The logs of one job, as Azure ML names them: one of the pipeline, one of each step.

    A log that can't be written stops no job.
    """

    def __init__(self, container: ContainerClient | None, job: str) -> None:
        self._container = container
        self._pipeline = self._begin(job, EXECUTION_LOG)
        self._step: str | None = None

    def begin_step(self, name: str, run: str) -> None:
        """A step begins, with the id of its run."""
        self._write(self._pipeline, f"Running step {name}, run id {run}")
        self._step = self._begin(run, STEP_LOG)

    def step_output(self, text: bytes) -> None:
        """What the current step prints."""
        if self._step is not None:
            _append(self._container, self._step, text)

    def step(self, line: str) -> None:
        """A line of the current step's log."""
        if self._step is not None:
            self._write(self._step, line)

    def end_step(self, name: str, status: str) -> None:
        """A step has ended."""
        self.step(f"Step {name}: {status}")
        self.pipeline(f"Step {name}: {status}")
        self._step = None

    def pipeline(self, line: str) -> None:
        """A line of the pipeline's own log."""
        self._write(self._pipeline, line)

    def _begin(self, run: str, name: str) -> str:
        path = log_path(run, name)
        _create(self._container, path)
        return path

    def _write(self, path: str, line: str) -> None:
        text = f"[{datetime.now(UTC):%Y-%m-%d %H:%M:%S}Z] {line}\n".encode()
        _append(self._container, path, text)


def log_path(run: str, name: str) -> str:
    """The blob of one of a run's logs."""
    return f"ExperimentRun/dcid.{run}/{name}"


def _create(container: ContainerClient | None, path: str) -> None:
    _keep(container, path, lambda blob: blob.create_append_blob(**AT_ONCE))


def _append(container: ContainerClient | None, path: str, text: bytes) -> None:
    _keep(container, path, lambda blob: blob.append_block(text, **AT_ONCE))


def _keep(
    container: ContainerClient | None, path: str, write: Callable[[BlobClient], object]
) -> None:
    if container is None:
        return
    try:
        write(container.get_blob_client(path))
    except AzureError as error:
        LOG.warning("a job's log is not written: %s", error)

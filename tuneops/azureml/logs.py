"""What a job's steps and a deployment's container have written."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobClient

from tuneops import names
from tuneops.azureml.errors import azure_errors
from tuneops.azureml.workspace import Workspace

MAX_FILES = 100
MAX_DEPTH = 5
_WRITTEN = re.compile(r"(user_logs|azureml-logs)/.+|logs/azureml/executionlogs\.txt")
_NOTHING_THERE = 416
"""What Storage says of a range that begins at a blob's end."""


@dataclass(frozen=True)
class LogFile:
    """A file of a job's logs; its address opens it for a while.

    The key is its own; people call it by its name, in which a step is called as in the pipeline.
    """

    key: str
    name: str
    address: str = field(repr=False)

    def read(self, after: int, most: int) -> bytes:
        """At most so many bytes from a place on; empty at the end.

        Raises:
            UnavailableError: the storage account can't be asked now.
        """
        with azure_errors(f"log {self.name}"):
            blob = BlobClient.from_blob_url(self.address, retry_total=2)
            try:
                return blob.download_blob(after, most).readall()
            except ResourceNotFoundError:
                return b""
            except HttpResponseError as error:
                if error.status_code == _NOTHING_THERE:
                    return b""
                raise


def of_job(workspace: Workspace, job: str) -> tuple[LogFile, ...]:
    """The logs of a job and its steps, in the order in which these began.

    The SDK reads the details of runs for `jobs.stream`, which does not return before the job's
    end, and offers them in no other way (azure-ai-ml 1.35).

    Raises:
        RefusedError, UnavailableError: the workspace can't be asked now.
    """
    with azure_errors(f"logs of job {job}"):
        try:
            steps = list(_steps(workspace, job))
        except ResourceNotFoundError:
            return ()
        called = Counter(step for _, step in steps)
        runs = [(job, ""), *((run, step if called[step] == 1 else run) for run, step in steps)]
        files = (each for run, step in runs for each in _files(workspace, run, step))
        return tuple(islice(files, MAX_FILES))


def of_deployment(workspace: Workspace, endpoint: str, name: str, lines: int) -> list[str]:
    """The last lines of a deployment's container; none before it has started.

    Raises:
        RefusedError, UnavailableError: the workspace can't be asked now.
    """
    with azure_errors(f"log of deployment {name}"):
        try:
            text = workspace.ml.online_deployments.get_logs(name, endpoint, lines=lines)
        except ResourceNotFoundError:
            return []
    return (text or "").splitlines()


def _steps(workspace: Workspace, job: str, depth: int = 1) -> Iterator[tuple[str, str]]:
    """The runs below a job with what people call them, each before its own steps."""
    found = list(workspace.ml.jobs.list(parent_job_name=job))
    for step in sorted(found, key=_began):
        yield str(step.name), str(step.display_name or step.name)
        if depth < MAX_DEPTH:
            yield from _steps(workspace, str(step.name), depth + 1)


def _began(step: Any) -> tuple[str, str]:
    created = getattr(step.creation_context, "created_at", None)
    return str(created or ""), str(step.name)


def _files(workspace: Workspace, run: str, step: str) -> Iterator[LogFile]:
    try:
        found = workspace.ml.jobs._runs_operations.get_run_details(run).log_files or {}
    except ResourceNotFoundError:
        return
    for path, address in sorted(found.items()):
        if _WRITTEN.fullmatch(path):
            key = names.digest(run, path)
            yield LogFile(key, f"{step}/{path}" if step else path, address)

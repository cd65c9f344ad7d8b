"""Why a job or a deployment failed, in Azure's own words."""

from contextlib import suppress
from typing import Any

import httpx2
from azure.core.exceptions import AzureError, HttpResponseError

from tuneops.azureml.workspace import Workspace, plain
from tuneops.observed import FAILED
from tuneops.scrub import scrub

MAX_REASON = 500
_TRANSIENT = ("OperationCanceled", "InternalServerError")
"""Codes after which Azure's own troubleshooting guide says to try again."""
_SHORTAGE = ("OutOfQuota", "OutOfCapacity", "QuotaExceeded", "SkuNotAvailable", "AllocationFailed")
"""Codes after which another instance type may be had; OutOfQuota stands for capacity as well."""
_NO_QUOTA = "Not enough quota available"
LOG_LINES = 20
MAX_DEPTH = 5
NOT_READY = "ResourceNotReady"
OPERATION = "AzureAsyncOperationUri"
"""The property of a deployment that holds the address of its last operation."""

_ADVICE = {
    "role assignment": "delete role assignments that are not used, or give the endpoint a "
    "user-assigned identity with endpoint.identity",
    "CoreQuota": "ask for more quota of its size, or choose a smaller one",
    NOT_READY: "the container did not become ready: see its log in the studio; give it more "
    "time with deployment.liveness_probe.initial_delay, or more memory with "
    "deployment.instance_type",
    "ImageBuildFailure": "see the image's build log in the studio: the model's conda.yaml can't be "
    "installed, or the workspace's container registry can't be reached",
    "download user model": "the model's files can't be read: see that the registered model is "
    "whole and that the endpoint's identity may read the workspace's storage",
    "download user container image": "the endpoint's identity needs the role AcrPull on the "
    "workspace's container registry",
    "SecretsInjectionError": "the endpoint's identity may not read a secret that "
    "deployment.environment_variables names",
    "WorkspaceManagedNetworkNotReady": "provision the workspace's managed network first",
    "CUDA out of memory": "lower per_device_train_batch_size or max_seq_length, or train on a "
    "larger size",
}
"""By code, from learn.microsoft.com/azure/machine-learning/how-to-troubleshoot-online-endpoints;
clusters have ClusterCoreQuotaReached and ClusterMinNodesExceedCoreQuota."""


def of_job(workspace: Workspace, name: str) -> str:
    """What the failed steps of a job say, or the job itself; empty when they say nothing.

    Raises:
        AzureError: the workspace can't be asked now.
    """
    failed = _failed_steps(workspace, name)
    told = [
        f"step {step.display_name or step.name} failed: {_run_error(workspace, str(step.name))}"
        for step in failed
    ]
    return advised(_short("; ".join(told) or _run_error(workspace, name)))


def _failed_steps(workspace: Workspace, name: str, depth: int = 1) -> list[Any]:
    """The innermost failed steps: a step that failed because of its own steps is not one."""
    steps = workspace.ml.jobs.list(parent_job_name=name)
    found: list[Any] = []
    for step in (step for step in steps if plain(step.status) == FAILED):
        inner = _failed_steps(workspace, str(step.name), depth + 1) if depth < MAX_DEPTH else []
        found.extend(inner or [step])
    return found


def of_deployment(workspace: Workspace, endpoint: str, deployment: Any) -> str:
    """What the deployment's last operation says, and the end of its container's log if that ended.

    Failing to find out is no reason to fail: then the reason is empty.
    """
    address = str((deployment.properties or {}).get(OPERATION, ""))
    reason = log = ""
    with suppress(AzureError, httpx2.HTTPError, ValueError):
        reason = _operation_error(workspace, address)
    if not reason or NOT_READY in reason:
        with suppress(AzureError):
            log = workspace.ml.online_deployments.get_logs(
                str(deployment.name), endpoint, lines=LOG_LINES
            )
    end = " ".join(scrub(log or "").split())[-MAX_REASON:]
    if is_shortage(reason):
        return _short(reason)
    if not reason or not end:
        return advised(_short(reason or end))
    said = _short(reason.splitlines()[0])
    return advised(f"{said.removesuffix('.')}; its log ends with: {end}")


def advised(reason: str) -> str:
    """The reason with what to do about it, where its code is a known one."""
    advice = next((text for code, text in _ADVICE.items() if code in reason), "")
    return f"{reason} ({advice})" if advice else reason


def is_transient(reason: str) -> bool:
    """Whether a deployment that failed for this reason may succeed the next time."""
    return reason.startswith(_TRANSIENT)


def is_shortage(reason: str) -> bool:
    """Whether a deployment failed for want of machines, which there may be of another type."""
    return reason.startswith(_SHORTAGE) and "role assignment" not in reason.lower()


def of_shortage(error: HttpResponseError) -> str:
    """The want of machines that a refusal tells of, empty when it is refused for something else."""
    said = error.error
    if said is None:
        return ""
    codes = [said.code or "", *(each.code or "" for each in said.details or ())]
    reasons = [f"{code}: {said.message or ''}" for code in codes]
    if _NO_QUOTA in (said.message or ""):
        reasons.append(f"OutOfQuota: {said.message}")
    return next((_short(reason) for reason in reasons if is_shortage(reason)), "")


def _run_error(workspace: Workspace, run: str) -> str:
    """The error in the run's details.

    The SDK reads them for `jobs.stream` and offers them in no other way (azure-ai-ml 1.35).
    """
    details = workspace.ml.jobs._runs_operations.get_run_details(run)
    error = details.error and details.error.error
    return str(error.message or error.code or "") if error else ""


def _operation_error(workspace: Workspace, address: str) -> str:
    """The error of a long-running operation; only Azure Resource Manager is asked."""
    if not address.startswith(f"{workspace.resource_manager}/"):
        return ""
    answer = workspace.http.get(address, headers=workspace.authorization(), timeout=20)
    error = answer.json().get("error") if answer.is_success else None
    if not isinstance(error, dict):
        return ""
    return ": ".join(str(error[key]) for key in ("code", "message") if error.get(key))


def _short(text: str) -> str:
    line = scrub(" ".join(text.split()))
    return line if len(line) <= MAX_REASON else line[:MAX_REASON] + "..."

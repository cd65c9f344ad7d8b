"""What run history says of a run, be it a job's or a step's."""

from datetime import UTC, datetime

from localcloud.azureml.arm import Json, timestamp
from localcloud.azureml.lifecycle import RUN_TYPES
from localcloud.azureml.pipeline import SERVERLESS, compute_name
from localcloud.azureml.runs import Run
from localcloud.azureml.services import run_services

_DETAILS = (
    "runId",
    "runNumber",
    "runUuid",
    "parentRunUuid",
    "rootRunUuid",
    "rootRunId",
    "parentRunId",
    "experimentId",
    "userId",
    "createdBy",
    "lastModifiedBy",
    "lastModifiedUtc",
    "target",
    "compute",
    "status",
    "startTimeUtc",
    "endTimeUtc",
    "duration",
    "error",
    "warnings",
    "tags",
    "properties",
    "parameters",
    "services",
    "inputs",
    "outputs",
    "inputDatasets",
    "outputDatasets",
)


def job_run(record: Json, run: Run | None) -> Json:
    """The run of a job."""
    resource = record["resource"]
    properties, system = resource["properties"], resource["systemData"]
    target = compute_name(properties["computeId"]) or SERVERLESS
    common = _common(resource["name"], record, run, record["error"], properties["status"])
    return common | {
        "displayName": properties["displayName"],
        "description": properties["description"],
        "hidden": properties["isArchived"],
        "runType": RUN_TYPES[properties["jobType"]],
        "createdUtc": system["createdAt"],
        "lastModifiedUtc": system["lastModifiedAt"],
        "target": target,
        "compute": {"target": target, "targetType": "amlctrain"},
        "services": run_services(resource),
        "tags": properties["tags"],
        "properties": properties["properties"],
    }


def step_run(record: Json, step: Json, run: Run | None) -> Json:
    """The run of a step of a job."""
    return _common(step["name"], record, run, step["error"], step["status"]) | {
        "parentRunId": step["parent"],
        "parentRunUuid": step["parent"],
        "displayName": step["step"],
        "runType": "azureml.StepRun",
        "createdUtc": step["created"],
        "lastModifiedUtc": step["ended"] or step["created"],
    }


def run_details(run: Json, logs: Json) -> Json:
    """A run's details, with the addresses of its logs."""
    return {key: run[key] for key in _DETAILS} | {
        "createdTimeUtc": run["createdUtc"],
        "logFiles": logs,
        "runDefinition": None,
    }


def _common(name: str, record: Json, run: Run | None, error: Json | None, status: str) -> Json:
    root = record["resource"]["name"]
    caller = record["resource"]["systemData"]["createdBy"]
    user = {"userObjectId": caller, "userName": caller}
    reason = error["message"] if error and status == "Canceled" else None
    return {
        "runId": name,
        "runNumber": run.started // 1000 if run else None,
        "runUuid": name,
        "rootRunId": root,
        "rootRunUuid": root,
        "parentRunId": None,
        "parentRunUuid": None,
        "experimentId": run.experiment if run else None,
        "dataContainerId": f"dcid.{name}",
        "name": None,
        "description": None,
        "hidden": False,
        "status": status,
        "createdBy": user,
        "createdFrom": None,
        "userId": caller,
        "lastModifiedBy": user,
        "error": _error(error, run) if error else None,
        "cancelationReason": reason,
        "warnings": [{"source": "limits", "message": reason}] if reason else [],
        "target": None,
        "compute": None,
        "services": {},
        "tags": {},
        "properties": {},
        "parameters": {},
        "inputs": {},
        "outputs": {},
        "inputDatasets": [],
        "outputDatasets": [],
        **_times(run),
    }


def _error(error: Json, run: Run | None) -> Json:
    ended = run.ended if run else None
    unset: Json = {"target": None, "details": [], "innerError": None}
    return {
        "error": unset | error,
        "correlation": {},
        "environment": None,
        "location": None,
        "time": _moment(ended) if ended else None,
        "componentName": "RunHistory",
    }


def _times(run: Run | None) -> Json:
    ended = run.ended if run else None
    return {
        "startTimeUtc": _moment(run.started) if run else None,
        "endTimeUtc": _moment(ended) if ended else None,
        "duration": _duration(ended - run.started) if run and ended else None,
    }


def _moment(milliseconds: int) -> str:
    return timestamp(datetime.fromtimestamp(milliseconds / 1000, UTC))


def _duration(milliseconds: int) -> str:
    """As .NET writes a time span."""
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    head = f"{days}." if days else ""
    return f"{head}{hours:02}:{minutes:02}:{rest / 1000:010.7f}"

"""Run history: how the SDK reads a job's steps, and why a run failed."""

import asyncio
import logging
from datetime import UTC, datetime

from azure.core.exceptions import AzureError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import Json, not_found, page, timestamp
from localcloud.azureml.bodies import read_json, string_map, text
from localcloud.azureml.containers import Containers
from localcloud.azureml.job_outputs import JobOutputs
from localcloud.azureml.lifecycle import RUN_TYPES, Lifecycle
from localcloud.azureml.runs import Runs
from localcloud.azureml.site import ARTIFACT_CONTAINER, Site

LOG = logging.getLogger(__name__)


class RunHistory:
    """The part of `history/v1.0` that jobs.list, jobs.stream and jobs.create_or_update call."""

    def __init__(
        self,
        site: Site,
        lifecycle: Lifecycle,
        runs: Runs,
        outputs: JobOutputs,
        containers: Containers,
    ) -> None:
        self._site = site
        self._outputs = outputs
        self._containers = containers
        self._lifecycle = lifecycle
        self._runs = runs

    def routes(self) -> list[Route]:
        """Routes below `/history/v1.0/WORKSPACE`."""
        return [
            Route("/rundata", self.get_run_data, methods=["POST"]),
            Route("/runs/{run}", self.get_run),
            Route("/runs/{run}/details", self.get_details),
            Route("/runs/{run}/children", self.list_children),
            Route("/experiments/{experiment}/runs/{run}", self.change_run, methods=["PATCH"]),
        ]

    async def get_run(self, request: Request) -> Response:
        """A run."""
        return JSONResponse(self._run(request.path_params["run"]))

    async def get_details(self, request: Request) -> Response:
        """A run with its error and the addresses of its logs."""
        name = request.path_params["run"]
        run = self._run(name)
        keys = ("runId", "status", "startTimeUtc", "endTimeUtc", "error", "properties")
        folder = f"ExperimentRun/dcid.{name}/"
        try:
            logs = await asyncio.to_thread(self._containers.files, ARTIFACT_CONTAINER, folder)
        except AzureError as error:
            LOG.warning("no logs of %s: %s", name, type(error).__name__)
            logs = {}
        return JSONResponse({key: run[key] for key in keys} | {"logFiles": logs})

    async def get_run_data(self, request: Request) -> Response:
        """A run with the assets that it made."""
        name = text(await read_json(request), "runId")
        return JSONResponse({"runMetadata": self._run(name) | {"outputs": self._outputs.of(name)}})

    async def list_children(self, request: Request) -> Response:
        """The steps right below a job or a step that have begun."""
        name = request.path_params["run"]
        self._run(name)
        steps = [self._run(step["name"]) for step in self._lifecycle.children(name)]
        return page(request, steps, self._site.url)

    async def change_run(self, request: Request) -> Response:
        """Change a job's name, description, tags or properties, or archive it (`hidden`)."""
        name = request.path_params["run"]
        body = await read_json(request)
        record = self._lifecycle.job(name)
        if record is None:
            raise not_found("Run", name)
        properties = record["resource"]["properties"]
        properties["tags"] |= string_map(body, "tags")
        properties["displayName"] = body.get("displayName") or properties["displayName"]
        properties["description"] = body.get("description") or properties["description"]
        properties["properties"] |= string_map(body, "properties")
        if body.get("hidden") is not None:
            properties["isArchived"] = body["hidden"] is True
        self._lifecycle.save(record)
        self._runs.log(name, tags=string_map(body, "tags"))
        return JSONResponse(self._run(name))

    def _run(self, name: str) -> Json:
        job = self._lifecycle.job(name)
        if job is not None:
            return self._common(name, name, job["error"]) | _job_fields(job["resource"])
        step = self._lifecycle.step(name)
        if step is None:
            raise not_found("Run", name)
        return self._common(name, step["job"], step["error"]) | {
            "parentRunId": step["parent"],
            "displayName": step["step"],
            "runType": "azureml.StepRun",
            "status": step["status"],
            "createdUtc": step["created"],
        }

    def _common(self, name: str, root: str, error: Json | None) -> Json:
        run = self._runs.get(name)
        return {
            "runId": name,
            "runUuid": name,
            "rootRunId": root,
            "experimentId": run.experiment if run else None,
            "tags": {},
            "properties": {},
            "error": {"error": error} if error else None,
            "startTimeUtc": _moment(run.started) if run else None,
            "endTimeUtc": _moment(run.ended) if run and run.ended else None,
        }


def _moment(milliseconds: int) -> str:
    return timestamp(datetime.fromtimestamp(milliseconds / 1000, UTC))


def _job_fields(resource: Json) -> Json:
    properties = resource["properties"]
    return {
        "displayName": properties["displayName"],
        "description": properties["description"],
        "runType": RUN_TYPES[properties["jobType"]],
        "status": properties["status"],
        "tags": properties["tags"],
        "properties": properties["properties"],
        "createdUtc": resource["systemData"]["createdAt"],
    }

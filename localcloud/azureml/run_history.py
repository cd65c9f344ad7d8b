"""Run history: how the SDK reads a job's steps, changes a job, and learns why a run failed."""

import asyncio
import logging

from azure.core.exceptions import AzureError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import Json, not_found, page, user_error
from localcloud.azureml.bodies import flag, read_json, text
from localcloud.azureml.containers import Containers
from localcloud.azureml.job_outputs import JobOutputs
from localcloud.azureml.lifecycle import Lifecycle
from localcloud.azureml.run_shapes import job_run, run_details, step_run
from localcloud.azureml.runs import Runs
from localcloud.azureml.services import service_instances
from localcloud.azureml.site import ARTIFACT_CONTAINER, Site

LOG = logging.getLogger(__name__)


class RunHistory:
    """The part of `history/v1.0` that the SDK's operations on jobs call."""

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
            Route("/runs/{run}/serviceinstances/{node}", self.list_services),
            Route("/experiments/{experiment}/runs/{run}", self.change_run, methods=["PATCH"]),
        ]

    async def get_run(self, request: Request) -> Response:
        """A run."""
        return JSONResponse(self._run(request.path_params["run"]))

    async def get_details(self, request: Request) -> Response:
        """A run with its error and the addresses of its logs."""
        name = request.path_params["run"]
        run = self._run(name)
        folder = f"ExperimentRun/dcid.{name}/"
        try:
            logs = await asyncio.to_thread(self._containers.files, ARTIFACT_CONTAINER, folder)
        except AzureError as error:
            LOG.warning("no logs of %s: %s", name, type(error).__name__)
            logs = {}
        return JSONResponse(run_details(run, logs))

    async def get_run_data(self, request: Request) -> Response:
        """A run with the assets that it made."""
        name = text(await read_json(request), "runId")
        run = self._run(name) | {"outputs": self._outputs.of(name)}
        return JSONResponse({"runMetadata": run, "runDefinition": None, "jobSpecification": None})

    async def list_children(self, request: Request) -> Response:
        """The steps right below a job or a step that have begun."""
        name = request.path_params["run"]
        self._run(name)
        steps = [self._run(step["name"]) for step in self._lifecycle.children(name)]
        return page(request, steps, self._site.url)

    async def list_services(self, request: Request) -> Response:
        """What became of a job's services on one of its nodes, of which there is one."""
        name, node = request.path_params["run"], request.path_params["node"]
        if not node.isdecimal():
            raise user_error(f"'{node}' is not the number of a node.", target="nodeId")
        self._run(name)
        job = self._lifecycle.job(name)
        found = service_instances(job["resource"]) if job and int(node) == 0 else {}
        return JSONResponse({"instances": found})

    async def change_run(self, request: Request) -> Response:
        """Change a job's name, description, tags or properties, or archive it (`hidden`)."""
        name = request.path_params["run"]
        body = await read_json(request)
        record = self._lifecycle.job(name)
        if record is None:
            raise not_found("Run", name)
        archived = None if body.get("hidden") is None else flag(body, "hidden")
        self._lifecycle.describe(record, body, archived, request.state.caller)
        return JSONResponse(self._run(name))

    def _run(self, name: str) -> Json:
        run = self._runs.get(name)
        job = self._lifecycle.job(name)
        if job is not None:
            return job_run(job, run)
        step = self._lifecycle.step(name)
        job = self._lifecycle.job(step["job"]) if step else None
        if step is None or job is None:
            raise not_found("Run", name)
        return step_run(job, step, run)

"""The compute node's side of the workspace: it takes jobs here and reports how they go."""

import asyncio
import time
from collections.abc import Set
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import ArmError, Json, conflict, not_found, user_error
from localcloud.azureml.assets import Assets
from localcloud.azureml.bodies import (
    read_json,
    section,
    string_map,
    text,
    text_list,
    whole_number,
)
from localcloud.azureml.faults import Fault, Faults
from localcloud.azureml.lifecycle import ENDED, Lifecycle
from localcloud.azureml.runs import Metric, Runs, now_ms
from localcloud.azureml.work_orders import WorkOrders
from localcloud.training.steps import STEPS

LONG_POLL_SECONDS = 20.0
MAX_ATTEMPTS = 5
REPORTED = ("Running", "Finalizing", *ENDED)


class Nodes:
    """Hands out jobs, to the newest node only, and takes its reports.

    A node names itself by an id that it makes when it starts, and runs one job at a time, or says
    which ones it runs. So when it asks for the next, every other job that has not ended is free: an
    earlier node had it and is gone, or the answer that handed it out was lost. What an earlier node
    still sends is refused.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        assets: Assets,
        orders: WorkOrders,
        runs: Runs,
        faults: Faults,
        submitted: asyncio.Event,
    ) -> None:
        self._lifecycle = lifecycle
        self._assets = assets
        self._orders = orders
        self._runs = runs
        self._faults = faults
        self._submitted = submitted
        self._newest = ""

    def routes(self) -> list[Route]:
        """Routes below `/_compute`."""
        return [
            Route("/base-model", self.publish_base_model, methods=["POST"]),
            Route("/next", self.next_job, methods=["POST"]),
            Route("/jobs/{job}", self.get_job),
            Route("/jobs/{job}/steps/{step}", self.put_step, methods=["PUT"]),
            Route("/jobs/{job}/steps/{step}/log", self.log, methods=["POST"]),
            Route("/jobs/{job}/status", self.put_status, methods=["PUT"]),
        ]

    async def publish_base_model(self, request: Request) -> Response:
        """The node has the foundation model ready in a folder."""
        folder = Path(text(await read_json(request), "path"))
        if not folder.is_dir():
            raise user_error(f"{folder} is not a folder.")
        self._assets.publish_base_model(folder)
        return Response(status_code=204)

    async def next_job(self, request: Request) -> Response:
        """The oldest job that waits; 204 when none came within 20 seconds.

        A node that does not listen any more gets none.
        """
        body = await read_json(request)
        node, running = text(body, "node"), set(text_list(body, "running"))
        self._newest = node
        self._submitted.set()
        deadline = asyncio.get_running_loop().time() + LONG_POLL_SECONDS
        while node == self._newest:
            self._submitted.clear()
            job = None if await request.is_disconnected() else self._take(node, running)
            if job is not None:
                return JSONResponse(job)
            pause = deadline - asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(self._submitted.wait(), max(0.0, pause))
            except TimeoutError:
                return Response(status_code=204)
            except asyncio.CancelledError:
                # The server is ending; the node asks again.
                return Response(status_code=503)
        raise conflict(f"Node '{node}' was replaced by '{self._newest}'.")

    async def get_job(self, request: Request) -> Response:
        """Whether the job is to be cancelled."""
        record = self._record(request, request.query_params.get("node"))
        status = record["resource"]["properties"]["status"]
        return JSONResponse({"cancel": status == "CancelRequested"})

    async def put_step(self, request: Request) -> Response:
        """A step begins or ends."""
        body = await read_json(request)
        record = self._record(request, body.get("node"))
        step, status = request.path_params["step"], _status(body)
        run = self._lifecycle.set_step(record, step, status, body.get("error"))
        return JSONResponse({"run": run})

    async def log(self, request: Request) -> Response:
        """Metrics and parameters of a step; they go to the job's own run as well."""
        body = await read_json(request)
        record = self._record(request, body.get("node"))
        job = record["resource"]["name"]
        step = self._lifecycle.set_step(record, request.path_params["step"], "Running")
        moment = now_ms()
        metrics = [
            Metric(key, float(value), moment, whole_number(body, "iteration", 0, 0, 10**9))
            for key, value in section(body, "metrics").items()
        ]
        known = self._runs.params(step)
        params = {k: v for k, v in string_map(body, "params").items() if k not in known}
        self._runs.log(step, metrics=metrics, params=params)
        self._runs.log(job, metrics=metrics)
        return Response(status_code=204)

    async def put_status(self, request: Request) -> Response:
        """The job finalizes or has ended."""
        body = await read_json(request)
        record = self._record(request, body.get("node"))
        self._lifecycle.set_status(record, _status(body), body.get("error"))
        return Response(status_code=204)

    def _record(self, request: Request, node: object) -> Json:
        name = request.path_params["job"]
        record = self._lifecycle.job(name)
        if record is None:
            raise not_found("Job", name)
        if record["node"] != node:
            raise conflict(f"Job '{name}' is not node '{node}''s.")
        return record

    def _take(self, node: str, running: Set[str]) -> Json | None:
        for record in self._lifecycle.open_jobs():
            if record["resource"]["name"] in running:
                continue
            status = record["resource"]["properties"]["status"]
            if status == "CancelRequested":
                self._lifecycle.set_status(record, "Canceled")
            elif not _is_held(record) and (job := self._hand_out(record, node)) is not None:
                return job
        return None

    def _hand_out(self, record: Json, node: str) -> Json | None:
        if record["attempts"] >= MAX_ATTEMPTS:
            message = f"The compute node was lost {MAX_ATTEMPTS} times while it ran this job."
            problem = {"code": "SystemError", "message": message}
            self._lifecycle.set_status(record, "Failed", problem)
            return None
        name = record["resource"]["name"]
        if self._goes_wrong(record):
            return None
        try:
            order = self._orders.write(record)
        except ArmError as error:
            problem = {"code": error.code, "message": error.message}
            self._lifecycle.set_status(record, "Failed", problem)
            return None
        if record["attempts"]:
            self._lifecycle.forget_metrics(name)
        record["node"] = node
        record["attempts"] += 1
        self._lifecycle.save(record)
        self._lifecycle.set_status(record, "Running")
        return order

    def _goes_wrong(self, record: Json) -> bool:
        """Whether a fault was asked for that keeps the job from being run."""
        fault = self._faults.strike("job", record["resource"]["name"])
        if fault is None:
            return False
        record["silent"] = fault.silent or fault.outcome == "silent"
        record["hangs"] = fault.outcome == "hang"
        if fault.outcome == "slow":
            record["held_until"] = time.time() + fault.seconds
            asyncio.get_running_loop().call_later(fault.seconds + 0.1, self._submitted.set)
        self._lifecycle.save(record)
        if fault.outcome == "silent":
            return False
        self._lifecycle.set_status(record, "Running")
        if fault.outcome == "fail":
            self._fail(record, fault)
        return True

    def _fail(self, record: Json, fault: Fault) -> None:
        """End a job, as if the step that the fault names had failed, if it has steps."""
        problem = {"code": fault.code, "message": fault.message}
        names = _step_names(record)
        has_step = fault.step in names
        for step in names[: names.index(fault.step)] if has_step else ():
            self._lifecycle.set_step(record, step, "Running")
            self._lifecycle.set_step(record, step, "Completed")
        if has_step:
            self._lifecycle.set_step(record, fault.step, "Running")
            self._lifecycle.set_step(record, fault.step, "Failed", problem)
        self._lifecycle.set_status(record, "Failed", problem)


def _step_names(record: Json) -> tuple[str, ...]:
    """The steps of a job in their order."""
    if "steps" in record["work"]:
        return tuple(step["name"] for step in record["work"]["steps"])
    return STEPS if record["resource"]["properties"]["jobType"] == "Pipeline" else ()


def _is_held(record: Json) -> bool:
    """Whether a fault was asked for that keeps the job from being run yet."""
    return bool(record.get("hangs")) or record.get("held_until", 0.0) > time.time()


def _status(body: Json) -> str:
    status = text(body, "status")
    if status not in REPORTED:
        raise user_error(f"'{status}' is not one of {', '.join(REPORTED)}.", target="status")
    return status

"""Jobs of the workspace: submitted, read, listed and cancelled."""

import asyncio
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import (
    PROVIDER,
    Json,
    check_name,
    listed,
    not_found,
    page,
    system_data,
    timestamp,
    user_error,
)
from localcloud.azureml.bodies import read_json, section, string_map
from localcloud.azureml.lifecycle import ENDED, Lifecycle
from localcloud.azureml.operations import Operations
from localcloud.azureml.site import API_VERSION, Site
from localcloud.azureml.submission import JobKind, Submission

FIXED = ("computeId", "experimentName")
CHANGEABLE = "description, tags, displayName, properties, and isArchived"
CANCEL_POLL_SECONDS = 0.2
MAX_TAGS, MAX_TAG_NAME, MAX_TAG_VALUE, MAX_DISPLAY_NAME = 50, 100, 1000, 256


class Jobs:
    """The job routes."""

    def __init__(
        self,
        site: Site,
        lifecycle: Lifecycle,
        operations: Operations,
        kinds: Mapping[str, JobKind],
    ) -> None:
        self._site = site
        self._lifecycle = lifecycle
        self._operations = operations
        self._kinds = kinds
        self.submitted = asyncio.Event()

    def routes(self) -> list[Route]:
        """Routes below the workspace."""
        return [
            Route("/jobs", self.list_jobs),
            Route("/jobs/{job}", self.get_job, methods=["GET"]),
            Route("/jobs/{job}", self.put_job, methods=["PUT"]),
            Route("/jobs/{job}/cancel", self.cancel_job, methods=["POST"]),
        ]

    def start(self) -> None:
        """Go on with the cancellations that a restart cut short."""
        for record in self._lifecycle.jobs():
            resource = record["resource"]
            if resource["properties"]["status"] == "CancelRequested":
                self._begin_cancellation(resource["name"], record.get("cancellation"))

    async def list_jobs(self, request: Request) -> Response:
        """All jobs, newest first."""
        wanted = listed(request, lambda job: job["properties"]["isArchived"])
        jobs = [record["resource"] for record in reversed(self._lifecycle.jobs())]
        return page(request, [job for job in jobs if wanted(job)], self._site.url)

    async def get_job(self, request: Request) -> Response:
        """A job; of a pipeline's step no more than its name, as Azure answers."""
        name = request.path_params["job"]
        record = self._lifecycle.job(name)
        if record is not None:
            return JSONResponse(record["resource"])
        step = self._lifecycle.step(name)
        if step is None:
            raise not_found("Job", name)
        return JSONResponse(self._envelope(name) | {"systemData": {"createdAt": step["created"]}})

    async def put_job(self, request: Request) -> Response:
        """Submit a job, or change the description of one that is there."""
        name = check_name("job", request.path_params["job"])
        properties = section(await read_json(request), "properties")
        record = self._lifecycle.job(name)
        if record is not None:
            self._update(record, properties)
            return JSONResponse(record["resource"])
        kind = self._kinds.get(str(properties.get("jobType")))
        if kind is None:
            message = f"The local cloud runs jobs of type {' and '.join(self._kinds)} only."
            raise user_error(message, target="jobType")
        submission = kind.read(name, properties)
        _check_limits(properties)
        record = {
            "resource": self._resource(name, properties, submission, request.state.caller),
            "submitted": {key: properties.get(key) for key in (*kind.fixed, *FIXED)},
            "work": submission.work,
            "node": None,
            "attempts": 0,
            "moved": timestamp(),
            "error": None,
        }
        self._lifecycle.create(record)
        self.submitted.set()
        location = f"{self._site.url}{request.url.path}?{request.url.query}"
        return JSONResponse(record["resource"], status_code=201, headers={"Location": location})

    async def cancel_job(self, request: Request) -> Response:
        """Ask a job to end; one that no node has yet ends at once."""
        name = request.path_params["job"]
        record = self._lifecycle.job(name)
        if record is None:
            raise not_found("Job", name)
        if record["resource"]["properties"]["status"] in ENDED:
            return Response(status_code=200)
        self._lifecycle.set_status(record, "CancelRequested")
        if record["node"] is None:
            self._lifecycle.set_status(record, "Canceled")

        operation = self._begin_cancellation(name)
        self._lifecycle.save(record | {"cancellation": operation})
        version = request.query_params.get("api-version", API_VERSION)
        headers = self._operations.headers(operation, version)
        del headers["Azure-AsyncOperation"]
        return Response(status_code=202, headers=headers)

    def _begin_cancellation(self, name: str, operation: str | None = None) -> str:
        async def wait_for_end() -> None:
            while not self._has_ended(name):
                await asyncio.sleep(CANCEL_POLL_SECONDS)

        return self._operations.begin(f"jobs/{name}", wait_for_end, operation)

    def _has_ended(self, name: str) -> bool:
        record = self._lifecycle.job(name)
        return record is None or record["resource"]["properties"]["status"] in ENDED

    def _update(self, record: Json, properties: Json) -> None:
        changed = [
            key
            for key, before in record["submitted"].items()
            if (properties.get(key) or None) != (before or None)
        ]
        if changed:
            names = ", ".join(key[0].upper() + key[1:] for key in changed)
            raise user_error(
                "A job with this name already exists. If you are trying to create a new job, use "
                "a different name. If you are trying to update an existing job, the existing "
                f"job's {names} cannot be changed. Only {CHANGEABLE} can be updated.",
                inner={"code": "Immutable", "innerError": {"code": "JobPropertyImmutable"}},
            )
        current = record["resource"]["properties"]
        current["tags"] |= string_map(properties, "tags")
        current["isArchived"] = bool(properties.get("isArchived", current["isArchived"]))
        current["displayName"] = properties.get("displayName") or current["displayName"]
        current["description"] = properties.get("description") or current["description"]
        self._lifecycle.save(record)

    def _envelope(self, name: str) -> Json:
        identifier = f"{self._site.workspace_path}/jobs/{name}"
        return {"id": identifier, "name": name, "type": f"{PROVIDER}/workspaces/jobs"}

    def _resource(self, name: str, properties: Json, submission: Submission, caller: str) -> Json:
        return self._envelope(name) | {
            "properties": {
                "description": properties.get("description"),
                "tags": string_map(properties, "tags"),
                "properties": string_map(properties, "properties") | submission.known,
                "displayName": properties.get("displayName") or name,
                "status": "Preparing",
                "experimentName": properties.get("experimentName") or "Default",
                "services": self._services(name),
                "computeId": properties.get("computeId"),
                "isArchived": bool(properties.get("isArchived", False)),
                "identity": properties.get("identity"),
                "componentId": properties.get("componentId"),
                "jobType": properties["jobType"],
                **submission.properties,
            },
            "systemData": system_data(caller),
        }

    def _services(self, name: str) -> Json:
        studio = self._site.connection.cloud.metadata.azure_portal.rstrip("/")
        endpoints = {
            "Tracking": f"{self._site.mlflow_uri}?",
            "Studio": f"{studio}/runs/{name}?wsid={self._site.workspace_path}",
        }
        return {
            kind: {
                "jobServiceType": kind,
                "port": None,
                "endpoint": endpoint,
                "status": None,
                "errorMessage": None,
                "properties": None,
                "nodes": None,
            }
            for kind, endpoint in endpoints.items()
        }


def _check_limits(properties: Json) -> None:
    """See learn.microsoft.com/azure/machine-learning/resource-limits-capacity."""
    tags = string_map(properties, "tags")
    if len(tags) > MAX_TAGS:
        raise user_error(f"A job has at most {MAX_TAGS} tags.", target="tags")
    for key, value in tags.items():
        if len(key) > MAX_TAG_NAME or len(value) > MAX_TAG_VALUE:
            raise user_error(f"The tag '{key[:MAX_TAG_NAME]}' is too long.", target="tags")
    if len(properties.get("displayName") or "") > MAX_DISPLAY_NAME:
        message = f"A display name has at most {MAX_DISPLAY_NAME} characters."
        raise user_error(message, target="displayName")

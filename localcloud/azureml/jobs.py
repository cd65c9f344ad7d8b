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
    not_found,
    page,
    system_data,
    timestamp,
    user_error,
)
from localcloud.azureml.bodies import flag, read_json, section, string_map
from localcloud.azureml.filters import (
    being,
    every,
    having,
    is_archived,
    listed,
    own_properties,
    own_tags,
)
from localcloud.azureml.lifecycle import ENDED, Lifecycle
from localcloud.azureml.operations import Operations
from localcloud.azureml.services import job_services
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
        """The jobs that are asked for, newest first; none of them is a schedule's."""
        wanted = every(
            listed(request, is_archived),
            having(request, "tag", own_tags),
            having(request, "properties", own_properties),
            being(request, "jobType", lambda job: job["properties"]["jobType"]),
            being(request, "scheduled", lambda job: "false"),
            being(request, "scheduleId", lambda job: None),
        )
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
        job = self._lifecycle.job(step["job"])
        system = job["resource"]["systemData"] if job else {}
        created = {key: system.get(key) for key in ("createdBy", "createdByType")}
        system = {"createdAt": step["created"], **created}
        return JSONResponse(self._envelope(name) | {"systemData": system})

    async def put_job(self, request: Request) -> Response:
        """Submit a job, or change the description of one that is there."""
        name = check_name("job", request.path_params["job"])
        properties = section(await read_json(request), "properties")
        record = self._lifecycle.job(name)
        if record is not None:
            self._update(record, properties, request.state.caller)
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

    def _update(self, record: Json, properties: Json, caller: str) -> None:
        shown = record["resource"]["properties"]
        changed = [
            key
            for key, before in record["submitted"].items()
            if not _is_same(properties.get(key), before, shown.get(key))
        ]
        if changed:
            names = ", ".join(key[0].upper() + key[1:] for key in changed)
            raise user_error(
                "A job with this name already exists. If you are trying to create a new job, use "
                "a different name. If you are trying to update an existing job, the existing "
                f"job's {names} cannot be changed. Only {CHANGEABLE} can be updated.",
                inner={"code": "Immutable", "innerError": {"code": "JobPropertyImmutable"}},
            )
        archived = None if properties.get("isArchived") is None else flag(properties, "isArchived")
        self._lifecycle.describe(record, properties, archived, caller)

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
                "services": job_services(self._site, name, _wanted_services(properties)),
                "computeId": properties.get("computeId"),
                "isArchived": bool(properties.get("isArchived", False)),
                "identity": properties.get("identity"),
                "componentId": properties.get("componentId"),
                "jobType": properties["jobType"],
                **submission.properties,
            },
            "systemData": system_data(caller),
        }


def _is_same(given: object, submitted: object, shown: object) -> bool:
    """Whether a PUT leaves a property as it is: as it was submitted, or as it is shown."""
    return _essence(given) in (_essence(submitted), _essence(shown))


def _essence(value: object) -> object:
    """A value without what is null, since the SDK sends that or leaves it out."""
    if isinstance(value, dict):
        kept = {key: _essence(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item is not None} or None
    if isinstance(value, list):
        return [_essence(item) for item in value] or None
    return value


def _wanted_services(properties: Json) -> dict[str, Json]:
    wanted = section(properties, "services")
    return {name: section(wanted, name) for name in wanted}


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

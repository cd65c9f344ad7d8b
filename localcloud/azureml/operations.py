"""Long-running operations: a record that clients poll, and the task that does the work."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import PROVIDER, ArmError, Json, not_found, timestamp
from localcloud.azureml.site import Site
from localcloud.azureml.store import Store

LOG = logging.getLogger(__name__)
KIND = "operations"
RETRY_AFTER = "1"
UNDER_WAY = "Updating"
TIMEOUT = "PT30M"
# What the names of operations on these resources begin with.
PREFIXES = {"endpoints": "oe:", "deployments": "od:"}

Work = Callable[[], Awaitable[None]]


class Operations:
    """Begins operations and answers `mfeOperationsStatus` and `mfeOperationResults`.

    At most one operation runs on a resource: a newer one takes the older one's place. Tasks do
    not survive a restart; whoever owns a resource in a transitional state begins again with the
    name of its operation.
    """

    def __init__(self, site: Site, store: Store) -> None:
        self._site = site
        self._store = store
        self._tasks: dict[str, tuple[str, asyncio.Task[None]]] = {}

    def routes(self) -> list[Route]:
        """The status routes."""
        path = f"{self._site.subscription_path}/providers/{PROVIDER}/locations/{{location}}"
        return [
            Route(f"{path}/mfeOperationsStatus/{{operation}}", self.get_status),
            Route(f"{path}/mfeOperationResults/{{operation}}", self.get_result),
        ]

    def begin(self, resource: str, work: Work, name: str | None = None) -> str:
        """Start `work` on a resource and return the operation's name."""
        self.cancel(resource)
        prefix = PREFIXES.get(resource.partition("/")[0], "")
        name = name or f"{prefix}{self._site.workspace_id}:{uuid.uuid4()}"
        self._store.put(
            KIND,
            name,
            {
                "id": self._id(name),
                "name": name,
                "startTime": timestamp(),
                "percentComplete": 0.0,
                "status": UNDER_WAY,
            },
        )
        self._tasks[resource] = (name, asyncio.create_task(self._run(name, work)))
        return name

    def cancel(self, resource: str) -> None:
        """Stop the operation that runs on a resource, if there is one."""
        name, task = self._tasks.pop(resource, ("", None))
        if task is not None and not task.done():
            task.cancel()
            message = "The operation was replaced by a newer one on the same resource."
            self._finish(name, "Canceled", ArmError(409, "OperationCanceled", message))

    async def close(self) -> None:
        """Stop all tasks; their records stay under way."""
        tasks = [task for _, task in self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def status_url(self, name: str, api_version: str) -> str:
        """Where a client asks how the operation stands."""
        return f"{self._site.url}{self._id(name)}?api-version={api_version}"

    def headers(self, name: str, api_version: str, location: str | None = None) -> dict[str, str]:
        """The headers that send a client to the operation; by default its result is nothing."""
        status = self.status_url(name, api_version)
        return {
            "Azure-AsyncOperation": status,
            "Location": location or status.replace("mfeOperationsStatus", "mfeOperationResults"),
            "Retry-After": RETRY_AFTER,
            "x-ms-async-operation-timeout": TIMEOUT,
        }

    async def get_status(self, request: Request) -> Response:
        """The operation's record."""
        record = self._record(request)
        headers = {"Retry-After": RETRY_AFTER} if record["status"] == UNDER_WAY else {}
        return JSONResponse(record, headers=headers)

    async def get_result(self, request: Request) -> Response:
        """202 while the operation runs, then an empty 200."""
        if self._record(request)["status"] == UNDER_WAY:
            headers = {"Location": str(request.url), "Retry-After": RETRY_AFTER}
            return Response(status_code=202, headers=headers)
        return Response(status_code=200)

    def _record(self, request: Request) -> Json:
        name = request.path_params["operation"]
        record = self._store.get(KIND, name)
        if record is None:
            raise not_found("Operation", name)
        return record

    async def _run(self, name: str, work: Work) -> None:
        try:
            await work()
        except ArmError as error:
            self._finish(name, "Failed", error)
        except asyncio.CancelledError:
            raise
        except Exception:
            LOG.exception("operation %s failed unexpectedly", name)
            message = "An internal server error occurred; see the server's log."
            self._finish(name, "Failed", ArmError(500, "InternalServerError", message))
        else:
            self._finish(name, "Succeeded")

    def _finish(self, name: str, status: str, error: ArmError | None = None) -> None:
        record = self._store.get(KIND, name) or {}
        record |= {"status": status, "endTime": timestamp(), "percentComplete": 100.0}
        if error is not None:
            record["error"] = error.body()["error"]
        self._store.put(KIND, name, record)

    def _id(self, name: str) -> str:
        return (
            f"{self._site.subscription_path}/providers/{PROVIDER}"
            f"/locations/{self._site.connection.location}/mfeOperationsStatus/{name}"
        )

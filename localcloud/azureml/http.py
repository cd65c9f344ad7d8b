"""What stands before every route: authentication, error bodies, and the count of requests."""

import logging
import re
import uuid
from collections import Counter
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from localcloud.azureml.arm import ArmError

LOG = logging.getLogger("localcloud.azureml.requests")
REQUEST_ID, CORRELATION_ID = "x-ms-request-id", "x-ms-correlation-request-id"
_RESOURCE = re.compile(
    r"(?:/mferp/managementfrontend)?/subscriptions/[^/]+(?:/resourceGroups/[^/]+)?/providers/Microsoft\.MachineLearningServices"
    r"(?:/workspaces/[^/]+|(?P<registry>/registries/[^/]+))?"
)


class Guard:
    """ASGI middleware that lets a request through only when `check` does not raise."""

    def __init__(self, app: ASGIApp, check: Callable[[Request], object]) -> None:
        self._app = app
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, then pass on."""
        request = Request(scope, receive)
        try:
            request.state.caller = self._check(request)
        except ArmError as error:
            await error.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)


class RequestLog:
    """ASGI middleware that logs each request and counts it by operation."""

    def __init__(self, app: ASGIApp, counts: Counter[str]) -> None:
        self._app = app
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on and note the status."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            self._counts[operation(scope)] += 1
            LOG.info("%s %s %s", scope["method"], scope["path"], status)


class RequestIds:
    """ASGI middleware that gives Resource Manager's answers the ids that support asks for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; the caller's own correlation id is kept."""
        if scope["type"] != "http" or not _RESOURCE.match(scope["path"]):
            await self._app(scope, receive, send)
            return
        identifier = str(uuid.uuid4())
        correlation = Headers(scope=scope).get(CORRELATION_ID) or identifier

        async def name(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID], headers[CORRELATION_ID] = identifier, correlation
            await send(message)

        await self._app(scope, receive, name)


def operation(scope: Scope) -> str:
    """A request by what it does: method and path, without the names of resources."""
    path = short_path(scope)
    for name, value in scope.get("path_params", {}).items():
        path = re.sub(f"/{re.escape(str(value))}(?=/|$)", f"/{{{name}}}", path, count=1)
    known = "endpoint" in scope
    return f"{scope['method']} {path or '/'}" if known else f"{scope['method']} (unknown route)"


def short_path(scope: Scope) -> str:
    """A request's path below the workspace, or below `/registry`."""
    return _RESOURCE.sub(lambda match: "/registry" if match["registry"] else "", scope["path"])


async def arm_error(request: Request, error: Exception) -> Response:
    """An `ArmError` as its answer."""
    if not isinstance(error, ArmError):
        raise error
    return error.response()


async def http_error(request: Request, error: Exception) -> Response:
    """A path or method that nothing serves, in ARM's shape, logged so that it is easily found."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    version = parse_qs(request.url.query).get("api-version", ["none"])[0]
    LOG.warning("no route: %s %s api-version=%s", request.method, request.url.path, version)
    code = "MethodNotAllowed" if status == 405 else "NotFound"
    message = f"The local cloud does not offer {request.method} {request.url.path}."
    return ArmError(status, code, message).response()


async def server_error(request: Request, error: Exception) -> Response:
    """A mistake of this server: uvicorn logs the traceback, the caller gets none of it."""
    message = "An internal server error occurred; see the server's log."
    return JSONResponse(ArmError(500, "InternalServerError", message).body(), status_code=500)

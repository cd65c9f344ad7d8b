"""HTTP triggers: routes, authorisation, and the translation of requests and responses."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import azure.functions as func
from azure.functions.meta import Datum
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from localcloud.functions.app import AppError, Function
from localcloud.functions.bodies import BodyTooLargeError, read_body
from localcloud.functions.invocation import InvocationFailedError, Invoker
from localcloud.functions.keys import Keys
from localcloud.functions.routes import Route, RouteError, compile_route

# FUNCTIONS_REQUEST_BODY_SIZE_LIMIT's default.
MAX_BODY_BYTES = 100 * 1024 * 1024
AUTH_LEVELS = ("anonymous", "function", "admin")
HOMEPAGE = "<!doctype html><title>Functions</title><p>Your Functions app is up and running</p>"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HttpTrigger:
    """A function with its route; no methods means all of them."""

    function: Function
    route: Route
    methods: frozenset[str]
    anonymous: bool


class HttpTriggers:
    """All HTTP triggers of an app, as one endpoint."""

    def __init__(
        self,
        functions: list[Function],
        prefix: str,
        keys: Keys,
        invoker: Invoker,
        settings: Mapping[str, str],
    ) -> None:
        triggers = [_read(function, prefix) for function in functions]
        self._triggers = sorted(triggers, key=lambda trigger: trigger.route.rank)
        self._keys = keys
        self._invoker = invoker
        self._homepage = settings.get("AzureWebJobsDisableHomepage", "").lower() != "true"

    def serves(self, method: str, path: str) -> bool:
        """Whether a function takes such a request."""
        return self._find(method, path) is not None

    async def respond(self, request: Request) -> Response:
        """Answer as the Functions host does.

        A route that exists for other methods is 404, not 405
        (https://github.com/Azure/azure-functions-host/issues/10098).
        """
        found = self._find(request.method, request.scope["path"])
        if found is None:
            return self._unserved(request.scope["path"])
        trigger, parameters = found
        if not trigger.anonymous and not self._keys.allow(request):
            return _refused(trigger.function, 401)
        try:
            body = await read_body(request, MAX_BODY_BYTES)
        except BodyTooLargeError:
            return _refused(trigger.function, 413)
        try:
            result = await self._invoker.invoke(
                trigger.function, _request_data(request, parameters, body)
            )
        except InvocationFailedError:
            return Response(status_code=500)
        return _response(trigger.function, result)

    def _unserved(self, path: str) -> Response:
        """Nothing is found, but at the root, where no function answers, the host has its own page.

        See HomepageMiddleware.cs of https://github.com/Azure/azure-functions-host.
        """
        if path != "/":
            return Response(status_code=404)
        return HTMLResponse(HOMEPAGE) if self._homepage else Response(status_code=204)

    def _find(self, method: str, path: str) -> tuple[HttpTrigger, dict[str, str]] | None:
        for trigger in self._triggers:
            parameters = trigger.route.match(path.removeprefix("/"))
            if parameters is not None and (not trigger.methods or method in trigger.methods):
                return trigger, parameters
        return None


def _refused(function: Function, status: int) -> Response:
    log.warning("%s refused a request: %d", function.name, status)
    return Response(status_code=status)


def _read(function: Function, prefix: str) -> HttpTrigger:
    template = function.trigger.setting("route") or function.name
    level = function.trigger.setting("authLevel", "function").lower()
    if level not in AUTH_LEVELS:
        raise AppError(f"function {function.name}: auth level {level!r} is not supported")
    try:
        route = compile_route(f"{prefix.strip('/')}/{template.strip('/')}")
    except RouteError as error:
        raise AppError(f"function {function.name}: {error}") from None
    methods = frozenset(
        str(method).upper() for method in function.trigger.settings.get("methods", ())
    )
    return HttpTrigger(function, route, methods, level == "anonymous")


def _request_data(request: Request, parameters: dict[str, str], body: bytes) -> Datum:
    headers = {name: ",".join(request.headers.getlist(name)) for name in request.headers}
    query = {name: ",".join(request.query_params.getlist(name)) for name in request.query_params}
    return Datum(
        {
            "method": Datum(request.method, "string"),
            "url": Datum(str(request.url), "string"),
            "headers": _strings(headers),
            "query": _strings(query),
            "params": _strings(parameters),
            "body": Datum(body, "bytes"),
        },
        "http",
    )


def _strings(values: dict[str, str]) -> dict[str, Datum]:
    return {name: Datum(value, "string") for name, value in values.items()}


def _response(function: Function, result: Any) -> Response:
    if result is None:
        return Response(status_code=204)
    if isinstance(result, str):
        return Response(result, media_type="text/plain")
    if not isinstance(result, func.HttpResponse):
        log.error("%s returned a %s", function.name, type(result).__name__)
        return Response(status_code=500)
    response = Response(result.get_body(), result.status_code)
    for name, value in result.headers.items():
        if name.lower() != "content-length":
            response.headers.append(name, value)
    if "content-type" not in response.headers:
        charset = f"; charset={result.charset}" if result.mimetype.startswith("text/") else ""
        response.headers["content-type"] = f"{result.mimetype}{charset}"
    return response

"""The manners of GitHub's REST API: authorisation, errors, ETags, rate limits, pages."""

import hashlib
import json
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from localcloud.github.git import GitError
from localcloud.github.hub import Hub

DOCUMENTATION_URL = "https://docs.github.com/rest"
MAX_BODY_BYTES = 100 * 1024 * 1024
PER_PAGE = 30
MAX_PER_PAGE = 100
RATE_LIMIT = 15_000
RATE_WINDOW_SECONDS = 3600

log = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)


class ApiError(Exception):
    """An answer other than success, in GitHub's shape."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: Sequence[Mapping[str, Any] | str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = list(errors)
        self.headers = dict(headers or {})

    @property
    def document(self) -> dict[str, Any]:
        """The body of the answer."""
        document: dict[str, Any] = {"message": self.message}
        if self.errors:
            document["errors"] = self.errors
        return {**document, "documentation_url": DOCUMENTATION_URL, "status": str(self.status)}


def not_found() -> ApiError:
    """GitHub's only answer to whatever does not exist."""
    return ApiError(404, "Not Found")


def invalid(resource: str, field_name: str, code: str = "invalid") -> ApiError:
    """422 for one field."""
    errors = [{"resource": resource, "field": field_name, "code": code}]
    return ApiError(422, "Validation Failed", errors)


@dataclass(frozen=True)
class Call:
    """A request, read; `caller` is the login it was made with."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    accept: str
    body: bytes
    caller: str

    @property
    def wants_raw(self) -> bool:
        """Whether contents are to be sent as they are (``application/vnd.github.raw+json``)."""
        return any(kind in self.accept for kind in ("github.raw", "github.v3.raw"))

    def number(self, name: str) -> int:
        """A number in the path.

        Raises:
            ApiError: it is none: 404.
        """
        text = self.path[name]
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            raise not_found()
        return int(text)

    def parse(self, model: type[M]) -> M:
        """The body as JSON.

        Raises:
            ApiError: 400 when it is no JSON object, 422 when a field is wrong.
        """
        try:
            document = json.loads(self.body or b"{}")
        except (ValueError, RecursionError):
            raise ApiError(400, "Problems parsing JSON") from None
        if not isinstance(document, dict):
            raise ApiError(400, "Body should be a JSON object")
        try:
            return model.model_validate(document)
        except ValidationError as error:
            raise ApiError(
                422, "Validation Failed", [_problem(model, problem) for problem in error.errors()]
            ) from None


def _problem(model: type[BaseModel], problem: Any) -> dict[str, Any]:
    return {
        "resource": model.__name__,
        "field": ".".join(map(str, problem["loc"])),
        "code": "missing_field" if problem["type"] == "missing" else "invalid",
        "message": problem["msg"],
    }


@dataclass(frozen=True)
class Answer:
    """A successful response; a list is sent in pages, bytes as they are."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Hub, Call], Answer]
Guard = Callable[[Request], str]
"""Gives the login of whoever makes the request, or raises ApiError."""


class RateLimit:
    """Requests in the current hour; 304s are free, as on GitHub."""

    def __init__(self) -> None:
        self._reset = 0.0
        self._used = 0

    def take(self) -> bool:
        """Count a request. False when there are too many."""
        if time.time() >= self._reset:
            self._reset, self._used = time.time() + RATE_WINDOW_SECONDS, 0
        self._used += 1
        return self._used <= RATE_LIMIT

    def give_back(self) -> None:
        """Do not count the request."""
        self._used -= 1

    def headers(self) -> dict[str, str]:
        """What every response says."""
        return {
            "x-ratelimit-limit": str(RATE_LIMIT),
            "x-ratelimit-remaining": str(max(0, RATE_LIMIT - self._used)),
            "x-ratelimit-used": str(self._used),
            "x-ratelimit-reset": str(int(self._reset)),
            "x-ratelimit-resource": "core",
        }


class Door:
    """What every request to one repository goes through."""

    def __init__(self, hub: Hub, limit: RateLimit, counts: Counter[str]) -> None:
        self._hub = hub
        self._limit = limit
        self._counts = counts

    def list_counts(self, hub: Hub, call: Call) -> Answer:
        """GET /_requests, for tests: how often each operation was answered with which status"""
        return Answer(dict(sorted(self._counts.items())))

    def endpoint(
        self, handler: Handler, guard: Guard, name: str
    ) -> Callable[[Request], Awaitable[Response]]:
        """The handler as an endpoint for those whom the guard lets in; it runs in a thread.

        Requests are counted under the `name`.
        """

        async def respond(request: Request) -> Response:
            try:
                caller = guard(request)
                if not self._limit.take():
                    raise ApiError(403, "API rate limit exceeded")
                call = await _read(request, caller)
                answer = await run_in_threadpool(handler, self._hub, call)
            except ApiError as error:
                answer = Answer(error.document, error.status, error.headers)
            except GitError as error:
                log.warning("%s %s: %s", request.method, request.url.path, error)
                answer = Answer(ApiError(422, str(error)).document, 422)
            response = self._finish(request, answer)
            self._counts[f"{name} {response.status_code}"] += 1
            return response

        return respond

    def _finish(self, request: Request, answer: Answer) -> Response:
        headers = dict(answer.headers)
        body = answer.body
        if isinstance(body, list):
            body, links = _page(request, body)
            headers |= {"link": links} if links else {}
        if isinstance(body, bytes):
            content, headers["content-type"] = body, "application/octet-stream"
        else:
            content = b"" if body is None else json.dumps(body).encode()
            headers["content-type"] = "application/json; charset=utf-8"
        status = answer.status
        if request.method in ("GET", "HEAD") and status == 200:
            headers["etag"] = f'W/"{hashlib.sha256(content).hexdigest()}"'
            if _same(request.headers.get("if-none-match", ""), headers["etag"]):
                status, content = 304, b""
                self._limit.give_back()
        headers |= {"x-github-media-type": "github.v3; format=json", **self._limit.headers()}
        return Response(content, status, headers)


async def _read(request: Request, caller: str) -> Call:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise ApiError(413, "Payload too large")
    accept = request.headers.get("accept", "")
    return Call(request.path_params, request.query_params, accept, bytes(body), caller)


def _same(given: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in given.split(",")}
    return etag.removeprefix("W/") in tags or "*" in tags


def _page(request: Request, items: list[Any]) -> tuple[list[Any], str]:
    """The page that was asked for and the Link header to its neighbours."""
    size = min(MAX_PER_PAGE, max(1, _positive(request, "per_page", PER_PAGE)))
    page = max(1, _positive(request, "page", 1))
    last = max(1, -(-len(items) // size))
    targets = {"prev": page - 1, "first": 1} if page > 1 else {}
    targets |= {"next": page + 1, "last": last} if page < last else {}
    links = ", ".join(
        f'<{request.url.include_query_params(page=target)}>; rel="{relation}"'
        for relation, target in targets.items()
    )
    return items[(page - 1) * size : page * size], links


def _positive(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default

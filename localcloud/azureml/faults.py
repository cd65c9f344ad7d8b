"""Faults on demand: the next call, job, cluster, deployment or scoring request goes wrong.

Tests and rehearsals ask for them below `/_admin/faults`, with the key of the compute node.
"""

import asyncio
import uuid
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from localcloud.azureml.arm import ArmError, not_found, user_error
from localcloud.azureml.bodies import read_json
from localcloud.azureml.http import short_path
from localcloud.azureml.store import Store

KIND = "faults"
MAX_FAULTS = 1000
HANG_SECONDS = 3600.0
ADMIN = "/_admin/"

Work = Literal["call", "job", "compute", "deployment", "scoring"]
Outcome = Literal["fail", "hang", "slow", "drop", "silent", "wrong"]

_POSSIBLE: dict[str, tuple[str, ...]] = {
    "call": ("fail", "hang", "slow", "drop"),
    "job": ("fail", "hang", "silent"),
    "compute": ("fail",),
    "deployment": ("fail", "hang", "slow"),
    "scoring": ("fail", "hang", "slow", "wrong"),
}


class Fault(BaseModel):
    """What is to go wrong.

    `target` is a pattern with `*`: of a call `METHOD /path` below the workspace (`PUT /jobs/*`),
    else the name of a job or cluster, or `ENDPOINT/DEPLOYMENT`. `drop` does what was called and
    loses the answer. `silent` jobs raise no events, whether they fail (`fail` with `silent`) or
    run. `wrong` answers with `body`.
    """

    model_config = ConfigDict(extra="forbid")

    work: Work
    outcome: Outcome
    target: Annotated[str, Field(min_length=1, max_length=300)] = "*"
    times: Annotated[int, Field(ge=1, le=10_000)] = 1
    status: Annotated[int, Field(ge=400, le=599)] = 500
    code: Annotated[str, Field(max_length=100)] = "InternalServerError"
    message: Annotated[str, Field(max_length=3000)] = "A fault that was asked for."
    retry_after: Annotated[int | None, Field(ge=0, le=3600)] = None
    seconds: Annotated[float, Field(ge=0, le=3600)] = 1.0
    silent: bool = False
    body: Annotated[str, Field(max_length=100_000)] = ""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        possible = _POSSIBLE[self.work]
        if self.outcome not in possible:
            raise ValueError(f"a {self.work} can {', '.join(possible)}, not {self.outcome}")
        return self

    def error(self) -> ArmError:
        """The fault as an answer."""
        return ArmError(self.status, self.code, self.message)


class Faults:
    """The faults that were asked for; each strikes as often as it says, the oldest first."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """Routes below `/_admin/faults`."""
        return [
            Route("/", self.list_faults, methods=["GET"]),
            Route("/", self.add_fault, methods=["POST"]),
            Route("/", self.clear, methods=["DELETE"]),
            Route("/{fault}", self.remove, methods=["DELETE"]),
        ]

    def strike(self, work: Work, target: str) -> Fault | None:
        """The fault that hits this piece of work now, if one was asked for; it counts as struck."""
        for record in self._store.list(KIND):
            fault = Fault.model_validate(record["fault"])
            left = fault.times - record["struck"]
            if left > 0 and fault.work == work and fnmatchcase(target, fault.target):
                record["struck"] += 1
                self._store.put(KIND, record["id"], record)
                return fault
        return None

    async def list_faults(self, request: Request) -> Response:
        """All faults, with how often each has struck."""
        return JSONResponse({"value": self._store.list(KIND)})

    async def add_fault(self, request: Request) -> Response:
        """Ask for a fault."""
        body = await read_json(request)
        if len(self._store.list(KIND)) >= MAX_FAULTS:
            raise user_error(f"There are {MAX_FAULTS} faults already; delete some.")
        try:
            fault = Fault.model_validate(body)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "fault"
            raise user_error(f"{field}: {first['msg']}", target=field) from error
        name = uuid.uuid4().hex
        record = {"id": name, "fault": fault.model_dump(), "struck": 0}
        self._store.put(KIND, name, record)
        return JSONResponse(record, status_code=201)

    async def remove(self, request: Request) -> Response:
        """Forget one fault."""
        name = request.path_params["fault"]
        if self._store.get(KIND, name) is None:
            raise not_found("Fault", name)
        self._store.delete(KIND, name)
        return Response(status_code=204)

    async def clear(self, request: Request) -> Response:
        """Forget all faults."""
        for record in self._store.list(KIND):
            self._store.delete(KIND, record["id"])
        return Response(status_code=204)


class FaultyCalls:
    """ASGI middleware that makes calls go wrong as was asked for."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or not."""
        fault = None
        if scope["type"] == "http" and not scope["path"].startswith(
            (ADMIN, "/_compute", "/health")
        ):
            fault = self._faults.strike("call", f"{scope['method']} {short_path(scope)}")
        if fault is None:
            await self._app(scope, receive, send)
        elif fault.outcome == "slow":
            await asyncio.sleep(fault.seconds)
            await self._app(scope, receive, send)
        elif fault.outcome == "drop":
            await self._app(scope, receive, _nowhere)
            await _cut(send)
        elif fault.outcome == "hang":
            await asyncio.sleep(HANG_SECONDS)
            await _cut(send)
        else:
            answer = fault.error().response()
            if fault.retry_after is not None:
                answer.headers["retry-after"] = str(fault.retry_after)
            await answer(scope, receive, send)


async def _nowhere(message: Message) -> None:
    """An answer that nobody gets."""


async def _cut(send: Send) -> None:
    """Begin an answer and leave it: the server closes the connection."""
    headers = [(b"content-length", b"1")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})

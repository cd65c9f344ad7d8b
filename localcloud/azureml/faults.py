"""Faults on demand: the next call, job, cluster, deployment or scoring request goes wrong.

Tests and rehearsals ask for them below `/_admin/faults`, with the key of the compute node.
"""

import asyncio
import re
import uuid
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
from localcloud.training.steps import STEPS

KIND = "faults"
MAX_FAULTS = 1000
HANG_SECONDS = 3600.0
ADMIN = "/_admin/"

Work = Literal["call", "job", "compute", "compute-deletion", "deployment", "scoring"]
Outcome = Literal["fail", "hang", "slow", "cut", "drop", "silent", "wrong"]

_POSSIBLE: dict[str, tuple[str, ...]] = {
    "call": ("fail", "hang", "slow", "cut", "drop"),
    "job": ("fail", "hang", "slow", "silent"),
    "compute": ("fail", "hang", "slow"),
    "compute-deletion": ("hang", "slow"),
    "deployment": ("fail", "hang", "slow"),
    "scoring": ("fail", "hang", "slow", "wrong"),
}
_WILDCARDS = {"*": "[^/]*", "**": ".*"}


class Fault(BaseModel):
    """What is to go wrong.

    `target` is a pattern: of a call `METHOD /path` below the workspace (`PUT /jobs/*`), else the
    name of a job or cluster, or `ENDPOINT/DEPLOYMENT`. In it `*` is anything without a slash and
    `**` anything. With `every` 10 it strikes one in ten of those, until it has `times` times.
    `fail` answers with `status`, `code` and `message`, to calls and scoring requests with
    `retry_after` as well. A job fails before its first step, or in `step` when the steps before
    that have completed. `slow` waits for `seconds` first, `hang` for ever. `cut` does nothing and
    closes the connection, `drop` does what was called and loses the answer. `silent` jobs raise no
    events, whether they fail (`fail` with `silent`) or run. `wrong` answers with `body`.
    """

    model_config = ConfigDict(extra="forbid")

    work: Work
    outcome: Outcome
    target: Annotated[str, Field(min_length=1, max_length=300)] = "**"
    times: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    every: Annotated[int, Field(ge=1, le=10_000)] = 1
    status: Annotated[int, Field(ge=400, le=599)] = 500
    code: Annotated[str, Field(max_length=100)] = "InternalServerError"
    message: Annotated[str, Field(max_length=3000)] = "A fault that was asked for."
    retry_after: Annotated[int | None, Field(ge=0, le=3600)] = None
    seconds: Annotated[float, Field(ge=0, le=3600)] = 1.0
    step: str = ""
    silent: bool = False
    body: Annotated[str, Field(max_length=100_000)] = ""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        possible = _POSSIBLE[self.work]
        if self.outcome not in possible:
            raise ValueError(f"a {self.work} can {', '.join(possible)}, not {self.outcome}")
        if self.step and (self.work, self.outcome) != ("job", "fail"):
            raise ValueError("only a job that is to fail has a step")
        if self.step and self.step not in STEPS:
            raise ValueError(f"the steps are {', '.join(STEPS)}, not {self.step}")
        return self

    def hits(self, work: Work, target: str) -> bool:
        """Whether the fault is meant for this piece of work."""
        parts = re.split(r"(\*\*|\*)", self.target)
        pattern = "".join(_WILDCARDS.get(part) or re.escape(part) for part in parts)
        return work == self.work and re.fullmatch(pattern, target, re.DOTALL) is not None

    def error(self) -> ArmError:
        """The fault as an answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return ArmError(self.status, self.code, self.message, headers=headers)


class Faults:
    """The faults that were asked for; each strikes as often as it says, the oldest first."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """Routes below `/_admin`."""
        return [
            *(
                Route(path, endpoint, methods=[method])
                for path in ("/faults", "/faults/")
                for method, endpoint in (
                    ("GET", self.list_faults),
                    ("POST", self.add_fault),
                    ("DELETE", self.clear),
                )
            ),
            Route("/faults/{fault}", self.remove, methods=["DELETE"]),
        ]

    def strike(self, work: Work, target: str) -> Fault | None:
        """The fault that hits this piece of work now, if one was asked for; it counts as struck."""
        for record in self._store.list(KIND):
            fault = Fault.model_validate(record["fault"])
            left = fault.times - record["struck"]
            if left > 0 and fault.hits(work, target):
                record["met"] += 1
                strikes = record["met"] % fault.every == 0
                record["struck"] += strikes
                self._store.put(KIND, record["id"], record)
                if strikes:
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
        record = {"id": name, "fault": fault.model_dump(), "met": 0, "struck": 0}
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
        elif fault.outcome in ("cut", "hang"):
            await asyncio.sleep(HANG_SECONDS if fault.outcome == "hang" else 0)
            await _cut(send)
        else:
            await fault.error().response()(scope, receive, send)


async def _nowhere(message: Message) -> None:
    """An answer that nobody gets."""


async def _cut(send: Send) -> None:
    """Begin an answer and leave it: the server closes the connection."""
    headers = [(b"content-length", b"1")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})

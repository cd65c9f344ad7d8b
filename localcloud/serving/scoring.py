"""The HTTP side of a scoring server."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from localcloud.serving.payload import InputData, PayloadError, parse_payload

LOG = logging.getLogger(__name__)

MAX_BODY_BYTES = 2 * 1024 * 1024

Answer = Callable[[InputData], list[str]]
"""The answers to the conversations of a request; ValueError when one can't be answered."""
Answering = Callable[[InputData], Awaitable[list[str]]]
"""The same for requests that come at once."""


def in_turn(answer: Answer) -> Answering:
    """One request after the other, in a thread: a model takes all the cores there are for one."""
    turn = asyncio.Lock()

    async def answering(data: InputData) -> list[str]:
        async with turn:
            return await run_in_threadpool(answer, data)

    return answering


def create_app(answering: Answering) -> Starlette:
    """`POST /score` answers conversations, `GET /` says healthy."""

    async def health(request: Request) -> JSONResponse:
        return JSONResponse({"status": "Healthy"})

    async def score(request: Request) -> JSONResponse:
        body = await _read(request)
        if body is None:
            return _refusal(413, f"the body has more than {MAX_BODY_BYTES} bytes")
        try:
            data = parse_payload(body)
            answers = await answering(data)
        except PayloadError as error:
            return _refusal(400, str(error))
        except ValueError as error:
            LOG.info("refused: %s", error)
            return _refusal(400, str(error))
        return JSONResponse(_output(answers))

    return Starlette(
        routes=[Route("/", health), Route("/score", score, methods=["POST"])],
        exception_handlers={Exception: _failed},
    )


def _output(answers: list[str]) -> dict[str, Any]:
    """Azure's answer to one conversation; for several, a list in their order."""
    return {"output": answers[0] if len(answers) == 1 else answers}


async def _read(request: Request) -> bytes | None:
    """The body, None when it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


def _refusal(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=status)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    return _refusal(500, "the model failed; its log says why")

"""Bodies of requests, of bounded size."""

from typing import Any

from pydantic_core import from_json
from starlette.requests import Request


class BodyError(Exception):
    """The body cannot be used; ``status`` is the HTTP status to answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def read_json(request: Request, limit: int) -> Any:
    """The body as JSON data.

    Raises:
        BodyError: 413 when it has more than ``limit`` bytes, 400 when it is not JSON.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyError(413, f"the body is larger than {limit} bytes")
    try:
        return from_json(bytes(body), allow_inf_nan=False)
    except ValueError as error:
        raise BodyError(400, f"the body is not JSON: {error}") from None

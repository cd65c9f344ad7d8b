"""Request bodies of a bounded size."""

from starlette.requests import Request


class BodyTooLargeError(Exception):
    """The request's body is larger than the limit."""


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body.

    Raises:
        BodyTooLargeError: it has more than ``limit`` bytes.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLargeError
    return bytes(body)

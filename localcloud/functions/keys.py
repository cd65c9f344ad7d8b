"""Function keys: who may call."""

import hmac
from dataclasses import dataclass

from starlette.requests import Request


@dataclass(frozen=True)
class Keys:
    """The host key opens functions and the host's administration, the other one Event Grid."""

    host: str
    eventgrid: str

    def allow(self, request: Request) -> bool:
        """Whether the request carries the host key."""
        return _matches(_given(request), self.host)

    def allow_eventgrid(self, request: Request) -> bool:
        """Whether the request carries the system key of the Event Grid webhook."""
        return _matches(_given(request), self.eventgrid)


def _given(request: Request) -> str:
    return request.headers.get("x-functions-key") or request.query_params.get("code") or ""


def _matches(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())

"""Passing a request on to the storage account, there and back without keeping it in memory."""

import httpx2
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from localcloud.azureml.arm import ArmError
from localcloud.azureml.auth import bearer

METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"]
_HOP_BY_HOP = frozenset({"connection", "host", "keep-alive", "transfer-encoding", "upgrade"})


async def pass_on(client: httpx2.AsyncClient, request: Request, url: str) -> Response:
    """The storage account's answer; a bearer token is not passed on.

    Raises:
        ArmError: 503 when it does not answer.
    """
    dropped = {*_HOP_BY_HOP, *(("authorization",) if bearer(request) else ())}
    headers = [
        (name, value) for name, value in request.headers.items() if name.lower() not in dropped
    ]
    sent = client.build_request(request.method, url, headers=headers, content=request.stream())
    try:
        answer = await client.send(sent, stream=True)
    except httpx2.HTTPError as error:
        message = f"The storage account does not answer: {type(error).__name__}"
        raise ArmError(503, "ServerBusy", message) from error
    kept = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP_BY_HOP}
    return StreamingResponse(
        answer.aiter_raw(), answer.status_code, kept, background=BackgroundTask(answer.aclose)
    )

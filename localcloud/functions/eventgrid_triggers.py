"""The webhook through which Event Grid calls functions."""

import asyncio
import json
import logging
from typing import Any

from azure.functions.meta import Datum
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from localcloud.functions.app import Function
from localcloud.functions.bodies import BodyTooLargeError, read_body
from localcloud.functions.invocation import InvocationFailedError, Invoker
from localcloud.functions.keys import Keys

PATH = "/runtime/webhooks/eventgrid"
METHODS = ["POST", "OPTIONS"]

# Event Grid delivers at most 1 MB.
MAX_BODY_BYTES = 1024 * 1024

log = logging.getLogger(__name__)


class EventGridTriggers:
    """All Event Grid triggers of an app, as one endpoint."""

    def __init__(self, functions: list[Function], keys: Keys, invoker: Invoker) -> None:
        self._functions = {function.name.lower(): function for function in functions}
        self._keys = keys
        self._invoker = invoker

    async def respond(self, request: Request) -> Response:
        """Take a delivery or a handshake; a delivery is acknowledged when every event succeeded."""
        response = await self._answer(request)
        if response.status_code >= 400:
            log.warning("Event Grid's webhook refused a request: %d", response.status_code)
        return response

    async def _answer(self, request: Request) -> Response:
        if not self._keys.allow_eventgrid(request):
            return Response(status_code=401)
        name = request.query_params.get("functionName", "")
        function = self._functions.get(name.lower())
        if function is None:
            return PlainTextResponse(f"cannot find function: '{name}'", 404)
        if request.method == "OPTIONS":
            return _allow_origin(request)
        try:
            events = _events(await read_body(request, MAX_BODY_BYTES))
        except BodyTooLargeError:
            return Response(status_code=413)
        except ValueError as error:
            return PlainTextResponse(str(error), 400)
        match request.headers.get("aeg-event-type", "Notification"):
            case "SubscriptionValidation":
                return _validate_subscription(function, events)
            case "Notification":
                return await self._deliver(function, events)
            case other:
                log.info("%s: Event Grid sent %r", function.name, other)
                return Response(status_code=202)

    async def _deliver(self, function: Function, events: list[dict[str, Any]]) -> Response:
        outcomes = await asyncio.gather(
            *(self._invoker.invoke(function, Datum(json.dumps(event), "json")) for event in events),
            return_exceptions=True,
        )
        unexpected = [
            outcome
            for outcome in outcomes
            if isinstance(outcome, BaseException) and not isinstance(outcome, InvocationFailedError)
        ]
        if unexpected:
            raise unexpected[0]
        failed = any(isinstance(outcome, BaseException) for outcome in outcomes)
        return Response(status_code=500 if failed else 202)


def _events(body: bytes) -> list[dict[str, Any]]:
    """The events of a delivery: an array, or one CloudEvent.

    Raises:
        ValueError: the body is no such JSON.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("the body is not JSON") from None
    events = [document] if isinstance(document, dict) else document
    if not isinstance(events, list) or not all(_is_event(event) for event in events):
        raise ValueError("the body is neither an array of events nor a CloudEvent")
    return events


def _is_event(event: Any) -> bool:
    kind = "type" if isinstance(event, dict) and "specversion" in event else "eventType"
    return isinstance(event, dict) and all(isinstance(event.get(f), str) for f in ("id", kind))


def _validate_subscription(function: Function, events: list[dict[str, Any]]) -> Response:
    """Event Grid's handshake: its code goes back.

    https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema
    """
    data = events[0].get("data") if events else None
    code = data.get("validationCode") if isinstance(data, dict) else None
    if not isinstance(code, str):
        return PlainTextResponse("the event has no data.validationCode", 400)
    log.info("%s: Event Grid subscription validated", function.name)
    return JSONResponse({"validationResponse": code})


def _allow_origin(request: Request) -> Response:
    """The CloudEvents handshake.

    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection
    """
    origin = request.headers.get("webhook-request-origin")
    if not origin:
        return PlainTextResponse("there is no WebHook-Request-Origin", 400)
    return Response(headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"})

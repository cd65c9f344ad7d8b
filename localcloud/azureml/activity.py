"""The activity log of Azure Monitor: who wrote, deleted or asked what of the workspace's resources.

https://learn.microsoft.com/rest/api/monitor/activity-logs/list

Each request that may change something leaves two events, at its begin and at its end. What takes
long ends as `Accepted`: the end of the operation itself is not told of. The newest `MAX_EVENTS` are
kept, and none is given that is older than 90 days.
"""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from localcloud.azureml.arm import PROVIDER, ArmError, Json, page, timestamp
from localcloud.azureml.http import CORRELATION_ID
from localcloud.azureml.site import Site
from localcloud.azureml.store import Store

KIND = "activity"
MAX_EVENTS = 2000
KEPT = timedelta(days=90)
LOGGED = ("onlineEndpoints", "models")
"""What stands first below the workspace in what is logged."""
METHODS = {"PUT": "write", "PATCH": "write", "DELETE": "delete", "POST": "action"}
OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"

_TERM = re.compile(r"(?P<field>\w+) (?P<operator>ge|le|eq) '?(?P<value>[^']*?)'?")
_FIELDS = {
    "resourceUri": "resourceId",
    "resourceGroupName": "resourceGroupName",
    "resourceProvider": "resourceProviderName",
    "correlationId": "correlationId",
}
"""By what events may be chosen, with the field of an event that says it."""


class Activity:
    """The log, and the route that it is read at."""

    def __init__(self, site: Site, store: Store) -> None:
        self._site = site
        self._store = store
        kept = store.list(KIND)
        self._last = kept[-1]["number"] if kept else 0

    def routes(self) -> list[Route]:
        """Routes from the root."""
        provider = f"{self._site.subscription_path}/providers/Microsoft.Insights"
        return [Route(f"{provider}/eventtypes/management/values", self.list_events)]

    def add(self, event: Json) -> None:
        """Write down an event; the oldest makes room for it."""
        self._last += 1
        with self._store.transaction():
            self._store.put(KIND, f"{self._last:012}", {"number": self._last, "event": event})
            self._store.delete(KIND, f"{self._last - MAX_EVENTS:012}")

    async def list_events(self, request: Request) -> Response:
        """The events that `$filter` asks for, newest first, with what `$select` names of them."""
        test = _wanted(request.query_params.get("$filter", ""))
        chosen = [name for name in request.query_params.get("$select", "").split(",") if name]
        events = [record["event"] for record in reversed(self._store.list(KIND))]
        found = [event for event in events if test(event)]
        if chosen:
            found = [{key: event.get(key) for key in chosen} for event in found]
        return page(request, found, self._site.url)


class ActivityLog:
    """ASGI middleware that writes down what callers change. Stands behind the check of the caller.

    `claims` are those of a request's token.
    """

    def __init__(
        self, app: ASGIApp, site: Site, activity: Activity, claims: Callable[[Request], Json]
    ) -> None:
        self._app = app
        self._site = site
        self._activity = activity
        self._claims = claims

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and write down how it began and ended."""
        operation = _operation(self._site, scope)
        if operation is None:
            await self._app(scope, receive, send)
            return
        resource, name = operation
        claims = self._claims(Request(scope))
        event = _event(self._site, scope, resource, name, claims)
        self._activity.add(_stage(event, "Begin", "Started", ""))
        status, takes_long = 500, False

        async def note(message: Message) -> None:
            nonlocal status, takes_long
            if message["type"] == "http.response.start":
                status = message["status"]
                takes_long = "azure-asyncoperation" in Headers(raw=message["headers"])
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            ended = "Failed" if status >= 400 else "Accepted" if takes_long else "Succeeded"
            self._activity.add(_stage(event, "End", ended, str(status)))


def _operation(site: Site, scope: Scope) -> tuple[str, str] | None:
    """The id of the resource that a request is about and the name of what it does, if logged."""
    path, prefix = scope["path"], f"{site.workspace_path}/"
    verb = METHODS.get(scope["method"])
    if verb is None or not path.startswith(prefix):
        return None
    parts = path.removeprefix(prefix).split("/")
    if parts[0] not in LOGGED:
        return None
    kinds = [f"{PROVIDER}/workspaces", *parts[::2]]
    if verb == "action":
        path = path.rpartition("/")[0]
    return path, "/".join((*kinds, verb))


def _event(site: Site, scope: Scope, resource: str, operation: str, claims: Json) -> Json:
    """What both events of a request have in common."""
    headers = Headers(scope=scope)
    identifier = str(uuid.uuid4())
    kind = operation.rpartition("/")[0]
    return {
        "authorization": {"action": operation, "scope": resource},
        "caller": str(claims.get("upn") or claims.get("oid") or "unknown"),
        "category": _localizable("Administrative"),
        "channels": "Operation",
        "claims": _claims(claims),
        "correlationId": headers.get(CORRELATION_ID) or identifier,
        "description": "",
        "httpRequest": {
            "clientRequestId": headers.get("x-ms-client-request-id") or identifier,
            "clientIpAddress": (scope.get("client") or ("127.0.0.1", 0))[0],
            "method": scope["method"],
        },
        "operationId": identifier,
        "operationName": _localizable(operation),
        "resourceGroupName": site.connection.resource_group,
        "resourceId": resource,
        "resourceProviderName": _localizable(PROVIDER),
        "resourceType": _localizable(kind),
        "subscriptionId": site.connection.subscription_id,
        "tenantId": site.connection.tenant_id,
    }


def _claims(claims: Json) -> dict[str, str]:
    """A token's claims as the log names them, without times."""
    named = {key: str(claims[key]) for key in ("aud", "iss", "appid", "name") if claims.get(key)}
    return {**named, OBJECT_ID: str(claims.get("oid", ""))}


def _stage(event: Json, stage: str, status: str, code: str) -> Json:
    """The event of a request's begin or end."""
    identifier, now = str(uuid.uuid4()), timestamp()
    return {
        **event,
        "eventDataId": identifier,
        "eventName": _localizable(f"{stage}Request"),
        "eventTimestamp": now,
        "id": f"{event['resourceId']}/events/{identifier}/ticks/{uuid.uuid4().int % 10**18}",
        "level": "Error" if status == "Failed" else "Informational",
        "properties": {"statusCode": code} if code else {},
        "status": _localizable(status),
        "subStatus": _localizable(code),
        "submissionTimestamp": now,
    }


def _localizable(value: str) -> Json:
    return {"value": value, "localizedValue": value}


def _wanted(given: str) -> Callable[[Json], bool]:
    """A test for what a filter asks for: a span of time, and one field at most.

    Raises:
        ArmError: 400 for a filter that Azure does not take.
    """
    terms = [_TERM.fullmatch(term.strip()) for term in given.split(" and ")]
    known = [term for term in terms if term]
    times = {term["operator"]: _moment(term["value"]) for term in known if _is_time(term)}
    fields = [term for term in known if not _is_time(term)]
    if len(known) < len(terms) or "ge" not in times or len(fields) > 1:
        raise _bad_filter(given)
    if any(term["operator"] != "eq" or term["field"] not in _FIELDS for term in fields):
        raise _bad_filter(given)
    if times["ge"] < datetime.now(UTC) - KEPT:
        raise ArmError(400, "BadRequest", "The start time cannot be more than 90 days in the past.")

    def test(event: Json) -> bool:
        at = _moment(event["eventTimestamp"])
        return (
            times["ge"] <= at
            and ("le" not in times or at <= times["le"])
            and all(_is(event[_FIELDS[term["field"]]], term["value"]) for term in fields)
        )

    return test


def _is_time(term: re.Match[str]) -> bool:
    return term["field"] == "eventTimestamp" and term["operator"] in ("ge", "le")


def _is(found: Any, wanted: str) -> bool:
    """Whether a field has this value, in any case."""
    text = found["value"] if isinstance(found, dict) else found
    return str(text).lower() == wanted.lower()


def _moment(text: str) -> datetime:
    """A time with a zone or, without one, of UTC; of fractions of a second six digits count."""
    try:
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except ValueError as error:
        raise _bad_filter(text) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _bad_filter(given: str) -> ArmError:
    return ArmError(400, "BadRequest", f"The $filter '{given}' is not valid.")

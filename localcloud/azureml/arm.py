"""What every Azure Resource Manager answer has in common: errors, bodies, times, names, pages."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Json = dict[str, Any]

PROVIDER = "Microsoft.MachineLearningServices"
PAGE_SIZE = 50

# Limits of the service: name of a job, a model or a compute; name of an endpoint or deployment.
ASSET_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-_]{0,254}")
ENDPOINT_NAME = re.compile(r"(?=.{3,32}$)[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?")


class ArmError(Exception):
    """An answer other than success, in Azure Resource Manager's error shape."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str | None = None,
        inner: Json | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.inner = inner
        self.headers = dict(headers or {})

    def body(self) -> Json:
        """The error as the JSON body of an answer."""
        error: Json = {
            "code": self.code,
            "message": self.message,
            "target": self.target,
            "details": [],
            "additionalInfo": [
                {"type": "ComponentName", "info": {"value": "managementfrontend"}},
                {"type": "Time", "info": {"value": timestamp()}},
            ],
        }
        if self.inner is not None:
            error["additionalInfo"].append({"type": "InnerError", "info": {"value": self.inner}})
        return {"error": error}

    def response(self) -> JSONResponse:
        """The error as an HTTP answer."""
        headers = {"x-ms-response-type": "error", **self.headers}
        return JSONResponse(self.body(), status_code=self.status, headers=headers)


def user_error(message: str, *, target: str | None = None, inner: Json | None = None) -> ArmError:
    """The caller's mistake: 400 with code `UserError`, as the service names it."""
    return ArmError(400, "UserError", message, target=target, inner=inner)


def not_found(kind: str, name: str) -> ArmError:
    """404 for a resource that does not exist."""
    return ArmError(404, "ResourceNotFound", f"{kind} '{name}' was not found.", target=name)


def conflict(message: str) -> ArmError:
    """409: another operation on the resource stands in the way."""
    return ArmError(409, "Conflict", message)


def timestamp(moment: datetime | None = None) -> str:
    """A time as Azure writes it, by default now."""
    return (moment or datetime.now(UTC)).isoformat(timespec="microseconds")


def system_data(created_by: str, before: Json | None = None) -> Json:
    """Who created and last changed a resource, and when; keeps the creation of `before`."""
    now = timestamp()
    created = before or {"createdAt": now, "createdBy": created_by, "createdByType": "Application"}
    return {
        "createdAt": created["createdAt"],
        "createdBy": created["createdBy"],
        "createdByType": created["createdByType"],
        "lastModifiedAt": now,
        "lastModifiedBy": created_by,
        "lastModifiedByType": "Application",
    }


def check_name(kind: str, name: str, pattern: re.Pattern[str] = ASSET_NAME) -> str:
    """The name itself, if the service would take it.

    Raises:
        ArmError: 400 when it would not.
    """
    if not pattern.fullmatch(name):
        raise user_error(f"The name '{name}' of the {kind} is not valid.", target="name")
    return name


def page(request: Request, items: Sequence[Json], base_url: str) -> Response:
    """One page of a list with the link to the next, after `$skip` and at most `$top` items."""
    skip = _count(request, "$skip", 0)
    wanted = min(_count(request, "$top", len(items)), len(items) - skip)
    given = min(wanted, PAGE_SIZE)
    body: Json = {"value": list(items[skip : skip + given])}
    if given < wanted:
        more = {"$skip": skip + given}
        if "$top" in request.query_params:
            more["$top"] = wanted - given
        url = request.url.include_query_params(**more)
        body["nextLink"] = f"{base_url}{url.path}?{url.query}"
    return JSONResponse(body)


def _count(request: Request, name: str, default: int) -> int:
    raw = request.query_params.get(name)
    if raw is None:
        return default
    if not re.fullmatch(r"\d{1,9}", raw):
        raise user_error(f"'{name}' must be a number, not '{raw}'.", target=name)
    return int(raw)

"""Who changed something last, from Azure's activity log, as far as that tells.

https://learn.microsoft.com/rest/api/monitor/activity-logs/list

It takes ``Microsoft.Insights/eventtypes/values/read``, which the role Reader on the subscription or
the resource group has. Changes appear in it after some minutes. Without either, nobody is told who
it was.
"""

import base64
import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

import httpx2
from azure.core.exceptions import AzureError
from pydantic import AwareDatetime, BaseModel, Field

from tuneops.azureml import autoscale
from tuneops.azureml.workspace import Workspace
from tuneops.difference import Difference, Part
from tuneops.release import Phase, Release
from tuneops.scrub import scrub

KEPT = timedelta(days=89)
"""Azure keeps events for 90 days, and refuses to look for older ones."""
TIMEOUT_SECONDS = 10
MAX_BYTES = 4 * 1024 * 1024
MAX_CALLER = 100
_LOG = "providers/Microsoft.Insights/eventtypes/management/values"
_API_VERSION = "2015-04-01"
_FIELDS = "caller,claims,eventTimestamp,operationName,resourceId,status"
_DONE = ("Succeeded", "Accepted")
"""What takes long is accepted at first; that tells who it was as well."""
_OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"

log = logging.getLogger(__name__)


class _Text(BaseModel):
    value: str = ""


class _Event(BaseModel):
    caller: str | None = None
    claims: dict[str, str | None] | None = None
    at: AwareDatetime = Field(alias="eventTimestamp")
    operation: _Text = Field(alias="operationName")
    resource: str = Field("", alias="resourceId")
    status: _Text = _Text()

    @property
    def changes(self) -> bool:
        """Whether it tells of a change that was made."""
        verb = self.operation.value.lower().rpartition("/")[2]
        return verb in ("write", "delete") and self.status.value in _DONE

    @property
    def who(self) -> frozenset[str]:
        """The names of the caller, as Azure gives one or another."""
        claims = self.claims or {}
        given = (self.caller, claims.get("appid"), claims.get(_OBJECT_ID))
        return frozenset(name.lower() for name in given if name)


class _Page(BaseModel):
    value: list[_Event]


class _Own(BaseModel):
    appid: str = ""
    oid: str = ""


def last_changes(
    workspace: Workspace, release: Release, differences: Iterable[Difference], now: datetime
) -> tuple[str, ...]:
    """Who but us changed each resource that differs last, since the release came to be live.

    Failing to find out is no reason to fail: then less is said, or nothing.
    """
    since = max(release.entered(Phase.LIVE) or now, now - KEPT)
    try:
        authorization = workspace.authorization()
        own = _own_names(authorization)
        found = [
            _last_change(workspace, authorization, own, what, resource, (since, now))
            for what, resource in _resources(workspace, release, differences)
        ]
    except (AzureError, httpx2.HTTPError, ValueError) as error:
        log.warning("project %s: the activity log: %s", release.project, scrub(str(error)[:300]))
        return ()
    return tuple(said for said in found if said)


def _resources(
    workspace: Workspace, release: Release, differences: Iterable[Difference]
) -> Iterator[tuple[str, str]]:
    """What differs with its ARM id, each once."""
    endpoint = f"{workspace.id}/onlineEndpoints/{release.endpoint}"
    deployment = f"deployments/{release.deployment_name}"
    model = f"models/{release.model_name}/versions/{release.model_version}"
    places = {
        Part.MODEL: ("model", f"{workspace.id}/{model}"),
        Part.DEPLOYMENT: ("deployment", f"{endpoint}/{deployment}"),
        Part.DEPLOYMENT_GONE: ("deployment", f"{endpoint}/{deployment}"),
        Part.AUTOSCALE: ("autoscale setting", autoscale.setting_id(workspace, release)),
    }
    yield from dict.fromkeys(
        places.get(difference.part, ("endpoint", endpoint)) for difference in differences
    )


def _last_change(
    workspace: Workspace,
    authorization: dict[str, str],
    own: frozenset[str],
    what: str,
    resource: str,
    span: tuple[datetime, datetime],
) -> str:
    """The newest change of a resource that was not ours, in words; empty without one.

    Raises:
        HTTPError, ValueError: the log can't be read.
    """
    events = _events(workspace, authorization, resource, span)
    others = [
        event
        for event in events
        if event.changes and event.resource.lower() == resource.lower() and not event.who & own
    ]
    newest = max(others, key=lambda event: event.at, default=None)
    if newest is None or not newest.caller:
        return ""
    verb = "deleted" if newest.operation.value.lower().endswith("/delete") else "changed"
    return f"{what} {verb} by {newest.caller[:MAX_CALLER]} at {newest.at:%Y-%m-%d %H:%M} UTC"


def _events(
    workspace: Workspace,
    authorization: dict[str, str],
    resource: str,
    span: tuple[datetime, datetime],
) -> list[_Event]:
    """The first page of a resource's events, which has the newest."""
    since, until = (moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") for moment in span)
    wanted = (
        f"eventTimestamp ge '{since}' and eventTimestamp le '{until}' "
        f"and resourceUri eq '{resource}'"
    )
    subscription = resource.partition("/resourceGroups/")[0]
    address = f"{workspace.resource_manager}{subscription}/{_LOG}"
    query = {"api-version": _API_VERSION, "$filter": wanted, "$select": _FIELDS}
    answer = workspace.http.get(
        address, params=query, headers=authorization, timeout=TIMEOUT_SECONDS
    )
    answer.raise_for_status()
    if len(answer.content) > MAX_BYTES:
        raise ValueError(f"the answer has more than {MAX_BYTES} bytes")
    return _Page.model_validate_json(answer.content).value


def _own_names(authorization: dict[str, str]) -> frozenset[str]:
    """What the log may call us, from the token that we sign in with.

    Raises:
        ValueError: the token does not say.
    """
    payload = authorization["authorization"].removeprefix("Bearer ").split(".")[1:2]
    if not payload:
        raise ValueError("the token of our identity does not say whose it is")
    own = _Own.model_validate_json(base64.urlsafe_b64decode(payload[0] + "=="))
    return frozenset(name.lower() for name in (own.appid, own.oid) if name)

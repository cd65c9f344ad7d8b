"""Bringing back what was swept away: what comes next, from its record and what is there. Pure.

Endpoint, then deployments, then traffic. What is there already, and was not begun by this order, is
somebody's: nothing of it is changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuneops import names
from tuneops.observed import CANCELED, FAILED, SUCCEEDED
from tuneops.sweep.record import Record, Restoration
from tuneops.sweep.resource import Kind, Resource

TRAFFIC = "#traffic"
_SENT = ("location", "kind", "sku")
_READ_ONLY = frozenset(
    {
        "provisioningState",
        "provisioningErrors",
        "scoringUri",
        "swaggerUri",
        "traffic",
        "mirrorTraffic",
        "createdOn",
        "modifiedOn",
        "resourceId",
        "isAttachedCompute",
    }
)
_OF_CLUSTER = (
    "vmSize",
    "vmPriority",
    "scaleSettings",
    "subnet",
    "osType",
    "isolatedNetwork",
    "enableNodePublicIp",
    "remoteLoginPortPublicAccess",
)

Json = dict[str, Any]


@dataclass(frozen=True)
class Put:
    """Begin to make a resource; `mark` is what notes that it was begun."""

    id: str
    body: Json
    mark: str


@dataclass(frozen=True)
class Look:
    """Look again later."""

    said: str


@dataclass(frozen=True)
class End:
    """It is over."""

    said: str
    failed: bool = False


Step = Put | Look | End


def next_step(record: Record, order: Restoration, seen: Mapping[str, Json | None]) -> Step:
    """What comes next; `seen` are the resources by their ids, None for those that are not there."""
    target = record.target
    if target.kind == Kind.DEPLOYMENT and seen.get(target.above) is None:
        return End(f"{Resource(target.above).label} has gone, so it has no place", failed=True)
    for part in record.parts:
        if step := _part(part, order, seen.get(part["id"])):
            return step
    if target.kind == Kind.ENDPOINT and (step := _traffic(record, order, seen)):
        return step
    note = " Its keys, and an identity that Azure had assigned, are new." * (
        target.kind == Kind.ENDPOINT
    )
    return End(f"{target.label} is there again, with the tag {names.TAG_KEEP}.{note}")


def _part(part: Json, order: Restoration, found: Json | None) -> Step | None:
    label = Resource(part["id"]).label
    if found is None:
        return Put(part["id"], _body(part, order), part["id"])
    begun = part["id"] in order.begun
    if not begun and part["id"] not in order.earlier:
        return End(f"{label} is there already: nothing of it is changed", failed=True)
    state = found.get("properties", {}).get("provisioningState")
    if state in (FAILED, CANCELED):
        if not begun:
            return Put(part["id"], _body(part, order), part["id"])
        return End(f"{label} is {state}: see why in the studio", failed=True)
    return None if state == SUCCEEDED else Look(f"{label} is {state}")


def _traffic(record: Record, order: Restoration, seen: Mapping[str, Json | None]) -> Step | None:
    """The traffic as it was, once all it goes to is there."""
    endpoint = seen.get(record.target.id) or {}
    shares = record.parts[0].get("properties", {}).get("traffic") or {}
    known = {part["id"].rpartition("/")[2].lower() for part in record.parts[1:]}
    shares = {name: share for name, share in shares.items() if share and name.lower() in known}
    there = endpoint.get("properties", {}).get("traffic") or {}
    if not shares or {name: share for name, share in there.items() if share} == shares:
        return None
    if TRAFFIC in order.begun:
        return End(f"its traffic is not {shares}: set it in the studio", failed=True)
    body: Json = {key: endpoint[key] for key in (*_SENT, "tags") if endpoint.get(key)}
    if identity := _identity(endpoint.get("identity")):
        body["identity"] = identity
    properties = {k: v for k, v in endpoint["properties"].items() if k not in _READ_ONLY}
    body["properties"] = {**properties, "traffic": shares}
    return Put(record.target.id, body, TRAFFIC)


def _body(part: Json, order: Restoration) -> Json:
    """What makes the resource as it was, but for what Azure alone decides."""
    body: Json = {key: part[key] for key in _SENT if part.get(key)}
    why = f" ({order.reason})" if order.reason else ""
    kept = f"restored by {order.by} on {order.at:%Y-%m-%d}{why}"
    body["tags"] = {**(part.get("tags") or {}), names.TAG_KEEP: kept[:256]}
    if identity := _identity(part.get("identity")):
        body["identity"] = identity
    body["properties"] = _properties(part)
    return body


def _properties(part: Json) -> Json:
    own = {k: v for k, v in part.get("properties", {}).items() if k not in _READ_ONLY}
    if Resource(part["id"]).kind == Kind.CLUSTER:
        inner = own.get("properties") or {}
        return {**own, "properties": {key: inner[key] for key in _OF_CLUSTER if key in inner}}
    texts = own.get("properties") or {}
    kept = {k: v for k, v in texts.items() if not k.lower().startswith(("azureml.", "azureasync"))}
    return {**own, "properties": kept}


def _identity(found: Json | None) -> Json | None:
    """An identity as it is asked for: Azure says who it is by itself."""
    if not found:
        return None
    assigned = found.get("userAssignedIdentities") or {}
    given: Json = {"type": found.get("type")}
    return {**given, "userAssignedIdentities": {k: {} for k in assigned}} if assigned else given

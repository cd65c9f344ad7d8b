"""What a refusal means for people: who lacks what, and which role mends that where. Pure."""

import re
from collections.abc import Mapping

from tuneops.permissions.role import Role
from tuneops.permissions.roles import BLOBS, IDENTITIES, OPERATOR, QUEUES, REGION, REGISTRY
from tuneops.permissions.scope import DESCRIPTIONS, place
from tuneops.permissions.storage_calls import Service, action_of
from tuneops.permissions.table import roles_for

PAGE = "docs/permissions.md"
_ACTION = re.compile(r"perform action '(?P<found>[^']+)'")
_SCOPE = re.compile(r"over scope '(?P<found>[^']+)'")
_IDENTITY = re.compile(r"with object id '(?P<found>[^']+)'")
_OTHERS: tuple[tuple[str, Role], ...] = (
    (r"microsoft\.machinelearningservices/registries/", REGISTRY),
    (r"microsoft\.machinelearningservices/locations/", REGION),
    (r"microsoft\.machinelearningservices/workspaces/", OPERATOR),
    (r"microsoft\.managedidentity/", IDENTITIES),
    (r"microsoft\.storage/.*/blobservices/", BLOBS),
    (r"microsoft\.storage/.*/queueservices/", QUEUES),
)
"""For actions that the table does not have: services ask for some that no list names."""
_BY_ROLE = ("AuthorizationPermissionMismatch", "InsufficientAccountPermissions")
_BY_NETWORK = ("AuthorizationFailure",)
"""Codes of Storage: a role is missing, or the account's network keeps the app out as well."""


def explained(said: str, role: Role = OPERATOR) -> str:
    """What Azure Resource Manager's refusal means; `role` is missing if it does not say what is.

    A refusal that names no action may be one of a network, too.
    """
    action = _found(_ACTION, said)
    if action:
        return lacks(action, _found(_SCOPE, said), _found(_IDENTITY, said))
    return (
        f"{said.rstrip('.')}: give TuneOps's identity the role {role.name} at "
        f"{DESCRIPTIONS[role.scope]} ({PAGE}), or see that the network lets TuneOps in"
    )


def lacks(action: str, scope: str, identity: str = "") -> str:
    """Who lacks an action at a resource, and which role allows it."""
    who = f"the identity {identity}" if identity else "TuneOps's identity"
    role = role_for(action)
    if role is None:
        return f"{who} lacks {action} at {scope}: give it a role with that there ({PAGE})"
    return f"{who} lacks {action} at {scope}: give it the role {_there(role, scope)} ({PAGE})"


def of_storage(
    service: Service,
    method: str,
    url: str,
    query: Mapping[str, str],
    code: str,
    identity: str = "",
) -> str | None:
    """What Storage's refusal of a call means; None where no role is to blame.

    Storage names neither who it was nor what was missing: that is told by the call.
    """
    if code not in (*_BY_ROLE, *_BY_NETWORK):
        return None
    action, where = action_of(service, method, url, query)
    said = f"{lacks(action, where, identity)}; Storage says {code}"
    return f"{said}: or its network keeps TuneOps out" if code in _BY_NETWORK else said


def role_for(action: str) -> Role | None:
    """The role that is given for an action."""
    listed = next(roles_for(action), None)
    others = (role for pattern, role in _OTHERS if re.match(pattern, action, re.IGNORECASE))
    return listed or next(others, None)


def _there(role: Role, scope: str) -> str:
    """The role, and where: ARM's id, or in words where the resource's id says it already."""
    found = place(role.scope, scope)
    if found == scope:
        return f"{role.name} there"
    return f"{role.name} at {DESCRIPTIONS[role.scope] if found in scope else found}"


def _found(pattern: re.Pattern[str], said: str) -> str:
    match = pattern.search(said)
    return match["found"] if match else ""

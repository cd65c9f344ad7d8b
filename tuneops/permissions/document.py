"""infra/roles.json, which Bicep reads: who gets which role where, and the custom roles. Pure."""

import json
from typing import Any

from tuneops.permissions.github import highest
from tuneops.permissions.role import Role
from tuneops.permissions.roles import ROLES
from tuneops.permissions.scope import Scope
from tuneops.permissions.table import actions_of


def document() -> str:
    """The whole file."""
    content = {
        "assignments": [_assignment(role) for role in ROLES],
        "customRoles": [definition(role) for role in ROLES if role.is_custom],
        "githubApp": highest(),
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def definition(role: Role) -> dict[str, Any]:
    """A custom role."""
    at = Scope.SUBSCRIPTION if role.scope == Scope.SUBSCRIPTION else Scope.RESOURCE_GROUP
    return {
        "name": role.name,
        "description": f"TuneOps {role.why}.",
        "actions": actions_of(role),
        "notActions": [],
        "dataActions": actions_of(role, data=True),
        "notDataActions": [],
        "assignableScopes": str(at),
    }


def _assignment(role: Role) -> dict[str, Any]:
    return {
        "identity": str(role.holder),
        "role": role.name,
        "id": role.id,
        "custom": role.is_custom,
        "scope": str(role.scope),
        "when": role.when,
        "why": role.why,
    }

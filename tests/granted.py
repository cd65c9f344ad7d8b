"""Roles at the local cloud: all that the table has, or all but some. For tests."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from tuneops.permissions.role import Role, covers
from tuneops.permissions.roles import APP_ROLES
from tuneops.permissions.scope import Scope
from tuneops.permissions.table import NEEDS, actions_of


class Roles:
    """What the app's identity has in one local cloud."""

    def __init__(self, connection: dict[str, Any]) -> None:
        self._connection = connection
        self._http = httpx2.Client(
            base_url=f"{connection['azureml_url']}/_admin",
            headers={"x-compute-key": connection["compute_key"]},
            verify=ssl.create_default_context(cafile=connection["ca_file"]),
            trust_env=False,
            timeout=30,
        )

    def give(self, *without: Role) -> None:
        """Give it all roles of the table but these."""
        given = [role for role in APP_ROLES if role not in without]
        grants = [self._grant(role) for role in given if self._place(role.scope)]
        self._http.put("/permissions", json={"grants": grants}).raise_for_status()

    @contextmanager
    def all_but(self, *without: Role) -> Iterator[None]:
        """Give it all roles but these for a while; afterwards it may do everything."""
        self.give(*without)
        try:
            yield
        finally:
            self.clear()

    def clear(self) -> None:
        """Let it do everything."""
        self._http.delete("/permissions").raise_for_status()

    def calls(self) -> dict[str, list[str]]:
        """What it has done: actions, and those of data."""
        answer = self._http.get("/calls").raise_for_status()
        found: dict[str, list[str]] = answer.json()
        return found

    def unknown_calls(self) -> list[str]:
        """What it has done that the table has not."""
        done = self.calls()
        patterns = [need.action for need in NEEDS if need.role in APP_ROLES]
        called = (*done["actions"], *done["dataActions"])
        return [a for a in called if not any(covers(pattern, a) for pattern in patterns)]

    def _grant(self, role: Role) -> dict[str, Any]:
        """A role as an assignment; what a built-in one allows stands for actions and data."""
        allowed = list(role.allowed)
        return {
            "scope": self._place(role.scope),
            "actions": actions_of(role) if role.is_custom else allowed,
            "dataActions": actions_of(role, data=True) if role.is_custom else allowed,
        }

    def _place(self, scope: Scope) -> str | None:
        """The ARM id of a scope; None for what the local cloud does not have."""
        c = self._connection
        subscription = f"/subscriptions/{c['subscription_id']}"
        group = f"{subscription}/resourceGroups/{c['resource_group']}"
        ml = f"{group}/providers/Microsoft.MachineLearningServices"
        return {
            Scope.SUBSCRIPTION: subscription,
            Scope.RESOURCE_GROUP: group,
            Scope.WORKSPACE: f"{ml}/workspaces/{c['workspace']}",
            Scope.REGISTRY: f"{ml}/registries/{c['registry']}",
            Scope.STORAGE: f"{group}/providers/Microsoft.Storage/storageAccounts/"
            f"{c['storage']['account']}",
        }.get(scope)

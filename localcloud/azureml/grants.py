"""What the identity may do at which scope, as roles say it, and what it has done.

Everybody's tokens are held against the grants; what has been done is noted of the app's identity
alone.
"""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from localcloud.azureml.store import Store

GRANTS, CALLS = "permissions", "calls"

Action = Annotated[str, Field(max_length=300)]


class Grant(BaseModel):
    """What one role allows below a scope: actions without those that are taken out again.

    `*` is for anything, an empty scope for everywhere.
    """

    model_config = ConfigDict(extra="forbid")

    scope: Annotated[str, Field(max_length=1000)] = ""
    actions: list[Action] = ["*"]
    notActions: list[Action] = []  # noqa: N815
    dataActions: list[Action] = ["*"]  # noqa: N815
    notDataActions: list[Action] = []  # noqa: N815

    def reaches(self, path: str) -> bool:
        """Whether a resource lies at the scope, or below it."""
        return f"{path.lower()}/".startswith(f"{self.scope.lower().rstrip('/')}/")

    def allows(self, action: str, *, data: bool) -> bool:
        """Whether the action is allowed."""
        given = self.dataActions if data else self.actions
        taken_out = self.notDataActions if data else self.notActions
        return _any_covers(given, action) and not _any_covers(taken_out, action)


class Grants:
    """The grants, and the calls that were made; both kept in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: set[str] = set()
        self._grants = [Grant()]
        if stored := store.get(GRANTS, GRANTS):
            self._grants = [Grant.model_validate(each) for each in stored["grants"]]

    def put(self, grants: list[Grant]) -> None:
        """Allow these from now on, and nothing else."""
        self._grants = grants
        self._store.put(GRANTS, GRANTS, {"grants": [each.model_dump() for each in grants]})

    def clear(self) -> None:
        """Allow everything."""
        self._grants = [Grant()]
        self._store.delete(GRANTS, GRANTS)

    def at(self, path: str) -> list[Grant]:
        """The grants that reach a scope."""
        return [each for each in self._grants if each.reaches(path)]

    def allow(self, action: str, path: str, *, data: bool = False) -> bool:
        """Whether the action is allowed at a resource."""
        return any(each.allows(action, data=data) for each in self.at(path))

    def note(self, action: str, *, data: bool = False) -> None:
        """Note that the app's identity has done this."""
        if (key := f"{'data' if data else 'action'} {action}") not in self._known:
            self._store.put(CALLS, key, {"action": action, "data": data})
            self._known.add(key)

    def noted(self, *, data: bool) -> list[str]:
        """What the app's identity has done."""
        found = self._store.list(CALLS)
        return sorted({str(each["action"]) for each in found if each["data"] == data})


def covers(pattern: str, action: str) -> bool:
    """Whether a role's pattern means the action; `A/*/read` means `A/read` as well."""
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    expression = expression.replace("/.*/", "/(?:.*/)?")
    return re.fullmatch(expression, action, re.IGNORECASE) is not None


def _any_covers(patterns: list[str], action: str) -> bool:
    return any(covers(pattern, action) for pattern in patterns)

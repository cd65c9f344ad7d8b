"""What TuneOps's identity may do, as Azure Resource Manager lists it.

https://learn.microsoft.com/rest/api/authorization/permissions
"""

from pydantic import BaseModel, Field

from tuneops.azureml import rest
from tuneops.azureml.errors import MissingRoleError
from tuneops.azureml.workspace import Workspace
from tuneops.permissions.role import covers

API_VERSION = "2022-04-01"


class Permission(BaseModel):
    """What one role allows: `actions` without those that are `taken_out`; `*` is anything."""

    actions: tuple[str, ...] = ()
    taken_out: tuple[str, ...] = Field((), alias="notActions")

    def allows(self, action: str) -> bool:
        """Whether it covers the action."""
        out = any(covers(pattern, action) for pattern in self.taken_out)
        return not out and any(covers(pattern, action) for pattern in self.actions)


class _Page(BaseModel):
    value: tuple[Permission, ...] = ()


def granted(workspace: Workspace, scope: str) -> tuple[Permission, ...] | None:
    """What the identity may do at the scope, nothing without a role; None if there is no such.

    Raises:
        UnavailableError, RefusedError: it can't be asked.
    """
    what = "permissions"
    url = f"{workspace.resource_manager}{scope}/providers/Microsoft.Authorization/permissions"
    try:
        answer = rest.ask(workspace, what, "GET", f"{url}?api-version={API_VERSION}", missing=True)
    except MissingRoleError:
        return ()
    return rest.read(_Page, answer, what).value if answer.is_success else None

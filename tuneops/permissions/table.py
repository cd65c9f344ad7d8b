"""The table: every action that TuneOps needs in Azure, with the role that allows it. Pure."""

from collections.abc import Iterator

from tuneops.permissions.around import AROUND
from tuneops.permissions.others import OTHERS
from tuneops.permissions.role import Holder, Need, Role, covers
from tuneops.permissions.storage import STORAGE
from tuneops.permissions.workspace import WORKSPACE

NEEDS = (*WORKSPACE, *AROUND, *STORAGE, *OTHERS)


def needs_of(role: Role) -> tuple[Need, ...]:
    """What a role is given for."""
    return tuple(need for need in NEEDS if need.role == role)


def actions_of(role: Role, *, data: bool = False) -> list[str]:
    """The actions, or the data actions, that a custom role allows: each of the table once."""
    named = (need.action for need in needs_of(role) if need.data == data)
    return sorted(dict.fromkeys(named), key=str.lower)


def roles_for(action: str) -> Iterator[Role]:
    """The roles of the app's identity that are given for an action."""
    for need in NEEDS:
        if need.role.holder == Holder.APP and covers(need.action, action):
            yield need.role

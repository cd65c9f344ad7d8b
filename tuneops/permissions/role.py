"""What a role and a permission are. Pure."""

import re
from dataclasses import dataclass
from enum import StrEnum

from tuneops.permissions.scope import Scope


class Holder(StrEnum):
    """Who has a role."""

    APP = "app"
    ENDPOINT = "endpoint"
    JOB = "job"
    EVENT_TOPIC = "eventTopic"
    DEPLOYER = "deployer"
    PEOPLE = "people"


@dataclass(frozen=True)
class Role:
    """A role that somebody has at a scope.

    Without an `id` it is a custom one, which allows exactly the actions of the table. Of a built-in
    one `allowed` are the patterns of its actions and data actions. It is needed always, or only
    `when` something is so; `without` it, that is what happens. `instead` is a built-in role that
    allows the same and more, for those who want no custom ones.
    """

    name: str
    scope: Scope
    why: str
    without: str
    holder: Holder = Holder.APP
    id: str = ""
    when: str = ""
    instead: str = ""
    allowed: tuple[str, ...] = ()

    @property
    def is_custom(self) -> bool:
        """Whether it has to be made first."""
        return not self.id

    def named(self) -> str:
        """What people are told to give."""
        return f"{self.name} (or {self.instead})" if self.instead else self.name


@dataclass(frozen=True)
class Need:
    """An action as Azure names it, the call that needs it, and the role that allows it.

    `call` is where our code makes it and what of the SDK or of Azure's API that is. An entry that
    no loop at the local cloud records says why in `unseen`: who does it, or which test covers it.
    """

    action: str
    role: Role
    call: str
    why: str
    data: bool = False
    unseen: str = ""


def covers(pattern: str, action: str) -> bool:
    """Whether a pattern of a role allows an action, as Azure compares them.

    A star stands for anything; `A/*/read` allows `A/read` as well.
    """
    parts = (re.escape(part) for part in pattern.split("*"))
    expression = ".*".join(parts).replace("/.*/", "/(?:.*/)?")
    return re.fullmatch(expression, action, re.IGNORECASE) is not None

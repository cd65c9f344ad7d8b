"""`apiVersion`: the version of the language that a config or a policy is written in. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tuneops.migrations import Content, Migration
from tuneops.version import VERSION

KEY = "apiVersion"
SHOWN = 60


class UnknownVersionError(ValueError):
    """The file is written in a version that this version of TuneOps does not know."""


@dataclass(frozen=True)
class ApiVersions:
    """The versions that are read: the current one, and by what an earlier one becomes the next.

    `earlier` is in the order of the versions; those are deprecated.
    """

    current: str
    earlier: Mapping[str, Migration] = field(default_factory=dict)

    @property
    def known(self) -> tuple[str, ...]:
        """All of them, the current one first."""
        return (self.current, *reversed(list(self.earlier)))

    def brought_up(self, content: Content) -> Content:
        """The content in the current version, without saying so; what says none is in that.

        Raises:
            UnknownVersionError: it says another one.
        """
        given: Any = content.get(KEY, self.current)
        if not isinstance(given, str) or given not in self.known:
            raise UnknownVersionError(
                f"is {str(given)[:SHOWN]!r}, which TuneOps {VERSION} does not read; write "
                f"{' or '.join(self.known)}, or update TuneOps"
            )
        rest = {name: value for name, value in content.items() if name != KEY}
        names = list(self.earlier)
        due = names[names.index(given) :] if given in self.earlier else []
        for name in due:
            rest = self.earlier[name](rest)
        return rest

    @property
    def json_schema(self) -> dict[str, Any]:
        """What the key may be, for editors."""
        said = "The version of this file's language; left out, it is the current one"
        schema = {"default": self.current, "description": said, "enum": list(self.known)}
        return {**schema, "title": "Apiversion", "type": "string"}


V1 = ApiVersions("tuneops/v1")
"""Of configs and of the policy."""

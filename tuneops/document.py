"""What is stored as JSON."""

from typing import Annotated, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, PlainSerializer

from tuneops.migrations import Migration
from tuneops.section import Section

S = TypeVar("S", bound=Section)


def _given(section: Section) -> dict[str, object]:
    return section.model_dump(mode="json", exclude_defaults=True)


Given = Annotated[S, PlainSerializer(_given, when_used="json")]
"""A part of a document that is stored without what has its default, as its author has written it.

So an earlier version of TuneOps reads it as well, as long as nothing is used that it does not know.
"""


class Document(BaseModel):
    """A value that is stored as JSON. Newer writers may have added fields: they are ignored.

    Each of `MIGRATIONS` makes of the content of one schema version that of the next.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    MIGRATIONS: ClassVar[tuple[Migration, ...]] = ()

    @classmethod
    def schema_version(cls) -> int:
        """The schema version that this version of TuneOps writes."""
        return 1 + len(cls.MIGRATIONS)

    def replace(self, **changes: object) -> Self:
        """A copy with some fields changed, and nothing that was computed from the old ones."""
        copy, fields = self.model_copy(update=changes), type(self).model_fields
        for name in [name for name in copy.__dict__ if name not in fields]:
            del copy.__dict__[name]
        return copy

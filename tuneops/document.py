"""What is stored as JSON."""

from typing import Self

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """A value that is stored as JSON. Newer writers may have added fields: they are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def replace(self, **changes: object) -> Self:
        """A copy with some fields changed, and nothing that was computed from the old ones."""
        copy, fields = self.model_copy(update=changes), type(self).model_fields
        for name in [name for name in copy.__dict__ if name not in fields]:
            del copy.__dict__[name]
        return copy

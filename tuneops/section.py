"""What all parts of the config have in common."""

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

FILE = "file"
"""The context in which pydantic reads a file that people write, and no stored document."""


class Section(BaseModel):
    """A part of the config: unknown keys are errors, values never change, flags are no numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_flag_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic would take ``true`` for 1."""
        annotation = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and {annotation, *get_args(annotation)} & {int, float}:
            raise ValueError("is true or false, where a number is wanted")
        return value

"""Stored documents of every version of TuneOps: how they say theirs, and are read by a later one.

Pure. A kind of document has the schema version 1, and one more for each of its `MIGRATIONS`; what
says none is of version 1. A field that is added with a default is no new version. A migration is
due where an earlier version of TuneOps would misread what this one writes, or the other way round:
then the earlier one refuses it, which is better than to act on half of it.
"""

from typing import TypeVar

from pydantic import BaseModel, Field
from pydantic_core import from_json, to_json

from tuneops.document import Document

STAMP = "schema_version"

T = TypeVar("T", bound=Document)


class NewerSchemaError(ValueError):
    """A later version of TuneOps has written this, in a way that this one does not know."""

    def __init__(self, written: int, known: int) -> None:
        super().__init__(
            f"was written by a later version of TuneOps (schema version {written}, this one knows "
            f"{known})"
        )


class _Stamped(BaseModel):
    schema_version: int = Field(1, ge=1)


def encode(document: Document) -> bytes:
    """The document as JSON, with its schema version in front."""
    content = document.model_dump_json().encode()
    stamp = f'{{"{STAMP}":{document.schema_version()}'.encode()
    return stamp + (content[1:] if content == b"{}" else b"," + content[1:])


def decode(kind: type[T], content: bytes) -> T:
    """The document in what was stored, whichever version has written it.

    Raises:
        NewerSchemaError: a later version has, and it must be left as it is.
        ValidationError: it is no such document.
    """
    written, known = _Stamped.model_validate_json(content).schema_version, kind.schema_version()
    if written > known:
        raise NewerSchemaError(written, known)
    if written == known:
        return kind.model_validate_json(content)
    earlier = from_json(content)
    for migrate in kind.MIGRATIONS[written - 1 :]:
        earlier = migrate(earlier)
    return kind.model_validate_json(to_json(earlier))

"""The key that forms are signed with: made once, and kept beside the other documents."""

import secrets
from typing import Annotated

from pydantic import Field

from tuneops import documents
from tuneops.document import Document
from tuneops.store import Store


class FormKey(Document):
    """Whoever has it can forge the tokens of forms, but no sign-in."""

    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", repr=False)]


def read_form_key(store: Store) -> bytes:
    """The key, which is made when there is none."""
    made = FormKey(key=secrets.token_hex(32))
    kept = store.update(documents.FORM_KEY, FormKey, lambda known: known or made)
    return bytes.fromhex(kept.key)

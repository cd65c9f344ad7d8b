"""What is stored of previews."""

from tuneops import documents
from tuneops.previews.register import Register
from tuneops.store import Store


def read_register(store: Store, environment: str) -> Register:
    """The previews of an environment."""
    stored = store.read(documents.previews(environment), Register)
    return stored.value if stored else Register()

"""Secrets by reference: a channel's settings name the app setting that holds one."""

from collections.abc import Mapping

from tuneops.hosting import UNRESOLVED
from tuneops.notify.channels.settings import PREFIX

MAX_CHARACTERS = 8_192


class SecretError(Exception):
    """A secret that is not there; the message names its setting and holds nothing of it."""


def secret(name: str, environment: Mapping[str, str]) -> str:
    """The secret that an app setting holds.

    Raises:
        SecretError: it has none.
    """
    if not name.startswith(PREFIX):
        raise SecretError(f"{name} can't be sent anywhere: its name does not begin with {PREFIX}")
    value = environment.get(name, "").strip()
    if not value:
        raise SecretError(f"the app setting {name} is not there, or is empty")
    if value.startswith(UNRESOLVED):
        raise SecretError(
            f"the app setting {name} is a Key Vault reference that Azure could not resolve: see "
            "that the secret exists, and that the app's identity has the role Key Vault Secrets "
            "User"
        )
    if len(value) > MAX_CHARACTERS or not (value.isascii() and value.isprintable()):
        raise SecretError(f"the app setting {name} is no single line of ASCII")
    return value

"""Secrets, by the app setting that refers to them; no value is said or put on a command line."""

import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path

from infra.hooks.az import AzError, az_once_allowed
from infra.hooks.problems import HookError

WEBHOOK_SECRET = "TUNEOPS_GITHUB_WEBHOOK_SECRET"
MAX_BYTES = 25_000
"""Key Vault takes no more."""


def secret_name(setting: str) -> str:
    """What the secret of a setting is called; app-settings.bicep says the same."""
    return setting.lower().replace("_", "-")


def given(setting: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """The value that whoever runs azd gives: in a file that NAME_FILE names, or as NAME itself.

    Raises:
        HookError: the file can't be read, or holds what is no secret.
    """
    path = environ.get(f"{setting}_FILE")
    if not path:
        return environ.get(setting) or None
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise HookError(f"{setting}_FILE: {path} can't be read ({type(error).__name__})") from error
    if not text or len(text.encode()) > MAX_BYTES:
        raise HookError(f"{setting}_FILE: {path} is empty, or has more than {MAX_BYTES} bytes")
    return text


class Vault:
    """A Key Vault."""

    def __init__(self, name: str) -> None:
        self._name = name

    def read(self, setting: str) -> str | None:
        """The newest value, None when there is none.

        Raises:
            HookError: the vault can't be read.
        """
        where = ("--vault-name", self._name, "--name", secret_name(setting))
        try:
            return str(az_once_allowed("keyvault", "secret", "show", *where)["value"])
        except AzError as error:
            if "SecretNotFound" in error.text:
                return None
            raise

    def write(self, setting: str, value: str) -> None:
        """Keep a value; those before it stay as earlier versions.

        Raises:
            HookError: the vault does not take it.
        """
        handle, path = tempfile.mkstemp()
        try:
            with open(handle, "w", encoding="utf-8", newline="") as file:
                file.write(value)
            where = ("--vault-name", self._name, "--name", secret_name(setting))
            az_once_allowed(
                *("keyvault", "secret", "set", *where, "--file", path, "--encoding", "utf-8"),
                *("--query", "id"),
            )
        finally:
            os.unlink(path)


def store(vault: Vault, setting: str, environ: Mapping[str, str] = os.environ) -> str:
    """Have the vault hold a setting's secret; gives what was done: stored, made, or kept.

    Raises:
        HookError: there is no such secret anywhere, or the vault can't be used.
    """
    wanted, known = given(setting, environ), vault.read(setting)
    if wanted and wanted != known:
        vault.write(setting, wanted)
        return "stored"
    if known:
        return "kept"
    if setting != WEBHOOK_SECRET:
        raise HookError(
            f"{setting} is nowhere: set {setting}_FILE to a file that holds it (azd env set"
            f" {setting}_FILE PATH), then run azd provision again"
        )
    vault.write(setting, secrets.token_urlsafe(48))
    return "made"

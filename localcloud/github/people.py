"""People who work on the repositories beside their owner, for tests; they end with the process."""

import secrets
import threading
from collections.abc import Iterable
from typing import Literal

Permission = Literal["admin", "write", "read", "none"]


class People:
    """Who has which token and may do what with all repositories; several threads may use it.

    Who has the permission *none* has an account and no part in the repositories.
    """

    def __init__(self, owners: Iterable[str]) -> None:
        self._owners = frozenset(owners)
        self._logins: dict[str, str] = {}
        self._permissions: dict[str, Permission] = {}
        self._lock = threading.Lock()

    def find(self, text: str) -> str | None:
        """The login of whoever has this token."""
        with self._lock:
            known = list(self._logins.items())
        given = text.encode()
        return next((who for t, who in known if secrets.compare_digest(t.encode(), given)), None)

    def add(self, login: str, permission: Permission) -> str:
        """A token of somebody who may do this from now on."""
        text = f"ghp_{secrets.token_hex(18)}"
        with self._lock:
            self._logins[text] = login
            self._permissions[login] = permission
        return text

    @property
    def logins(self) -> list[str]:
        """Everybody there is."""
        with self._lock:
            return [*self._owners, *self._permissions]

    def permission(self, login: str) -> Permission | None:
        """What somebody may do, None for an account that there is not."""
        if login in self._owners:
            return "admin"
        with self._lock:
            return self._permissions.get(login)

    def association(self, login: str, owner: str) -> str:
        """What somebody is to a repository of this owner's, as its comments say."""
        if login == owner:
            return "OWNER"
        return "COLLABORATOR" if self.permission(login) in ("write", "read") else "NONE"

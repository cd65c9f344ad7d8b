"""The tokens of the App's installations. They end with the process, as by a revocation."""

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from localcloud.github.permissions import PERMISSIONS
from localcloud.github.records import now

LIFETIME = timedelta(hours=1)


@dataclass(frozen=True)
class Token:
    """An installation access token, and what it may do."""

    text: str
    owner: str
    expires_at: datetime
    permissions: Mapping[str, str]


class InstallationTokens:
    """May be used from several threads."""

    def __init__(self) -> None:
        self.lifetime = LIFETIME
        self.permissions: Mapping[str, str] = PERMISSIONS
        self._issued: list[Token] = []
        self._revoked = 0
        self._lock = threading.Lock()

    def issue(self, owner: str) -> Token:
        """A new token of the installation at this owner's."""
        text = f"ghs_{secrets.token_hex(18)}"
        token = Token(text, owner, now() + self.lifetime, self.permissions)
        with self._lock:
            self._issued.append(token)
        return token

    @property
    def issued(self) -> list[Token]:
        """All tokens there were, oldest first."""
        with self._lock:
            return list(self._issued)

    def revoke(self) -> None:
        """Take no token any more that was issued until now."""
        with self._lock:
            self._revoked = len(self._issued)

    def find(self, text: str) -> Token | None:
        """The token that is taken now and has this text."""
        with self._lock:
            taken = self._issued[self._revoked :]
        moment = now()
        given = text.encode()
        valid = (token for token in taken if token.expires_at > moment)
        return next((t for t in valid if secrets.compare_digest(t.text.encode(), given)), None)

"""The tokens of the App's installation. They end with the process, as by a revocation."""

import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from localcloud.github.records import now

LIFETIME = timedelta(hours=1)


@dataclass(frozen=True)
class Token:
    """An installation access token; `contents` is what it may do with the repository's."""

    text: str
    expires_at: datetime
    contents: str = "write"


class InstallationTokens:
    """May be used from several threads."""

    def __init__(self) -> None:
        self.lifetime = LIFETIME
        self.contents = "write"
        self._issued: list[Token] = []
        self._revoked = 0
        self._lock = threading.Lock()

    def issue(self) -> Token:
        """A new token."""
        token = Token(f"ghs_{secrets.token_hex(18)}", now() + self.lifetime, self.contents)
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
        """The token of this text, if it is taken now."""
        with self._lock:
            taken = self._issued[self._revoked :]
        moment = now()
        return next(
            (
                token
                for token in taken
                if token.expires_at > moment
                and secrets.compare_digest(token.text.encode(), text.encode())
            ),
            None,
        )

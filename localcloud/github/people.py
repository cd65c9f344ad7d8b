"""People who work on the repositories beside their owner, for tests; they end with the process."""

import secrets
import threading
from typing import Annotated

from pydantic import BaseModel, Field

from localcloud.github.hub import Hub
from localcloud.github.rest import Answer, Call


class NewToken(BaseModel):
    """POST /_user_tokens"""

    login: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,38}$")]


class People:
    """Collaborators of all repositories by their tokens. May be used from several threads."""

    def __init__(self) -> None:
        self._logins: dict[str, str] = {}
        self._lock = threading.Lock()

    def find(self, text: str) -> str | None:
        """The login of whoever has this token."""
        with self._lock:
            known = list(self._logins.items())
        given = text.encode()
        return next((who for t, who in known if secrets.compare_digest(t.encode(), given)), None)

    def create_token(self, hub: Hub, call: Call) -> Answer:
        """POST /_user_tokens, for tests: a token of somebody who may push and merge"""
        login = call.parse(NewToken).login
        text = f"ghp_{secrets.token_hex(18)}"
        with self._lock:
            self._logins[text] = login
        return Answer({"login": login, "token": text}, 201)

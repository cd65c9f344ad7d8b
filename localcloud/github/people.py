"""People who work on the repositories beside their owner, for tests; they end with the process."""

import secrets
import threading
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from localcloud.github.hub import Hub
from localcloud.github.rest import Answer, Call, not_found

Permission = Literal["read", "write"]


class NewToken(BaseModel):
    """POST /_user_tokens"""

    login: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,38}$")]
    permission: Permission = "write"


class People:
    """Collaborators of all repositories by their tokens. May be used from several threads."""

    def __init__(self) -> None:
        self._logins: dict[str, str] = {}
        self._permissions: dict[str, Permission] = {}
        self._lock = threading.Lock()

    def find(self, text: str) -> str | None:
        """The login of whoever has this token."""
        with self._lock:
            known = list(self._logins.items())
        given = text.encode()
        return next((who for t, who in known if secrets.compare_digest(t.encode(), given)), None)

    def may_write(self, login: str) -> bool:
        """Whether this is a collaborator who may push."""
        with self._lock:
            return self._permissions.get(login) == "write"

    def get_permission(self, hub: Hub, call: Call) -> Answer:
        """GET .../collaborators/{login}/permission"""
        login = call.path["login"]
        with self._lock:
            known = self._permissions.get(login)
        if login == hub.shapes.owner:
            return Answer({"permission": "admin", "user": hub.shapes.user(login)})
        if known is None:
            raise not_found()
        return Answer({"permission": known, "user": hub.shapes.user(login)})

    def create_token(self, hub: Hub, call: Call) -> Answer:
        """POST /_user_tokens, for tests: a token of somebody who may push, or only read"""
        request = call.parse(NewToken)
        login = request.login
        text = f"ghp_{secrets.token_hex(18)}"
        with self._lock:
            self._logins[text] = login
            self._permissions[login] = request.permission
        return Answer({"login": login, "token": text}, 201)

"""Who looks at the page, and what they may do on it. Pure.

In Azure people sign in with Entra ID: App Service asks them to before anything reaches this app,
takes the headers away that a request brings itself, and says who they are in one of its own
(https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities). Where
that is not set up, those headers are anybody's, so the page asks for a function key instead; in the
local cloud it opens on the loopback address.
"""

import base64
import binascii
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from tuneops.page.asked import Asked
from tuneops.page.way import Way, is_loopback

OPERATOR = "TuneOps.Operator"
"""The app role that lets people act."""
PRINCIPAL = "x-ms-client-principal"
MAX_PRINCIPAL = 64 * 1024
MAX_NAME = 200
ENTRA = "aad"
"""What App Service calls Entra ID."""
LOCAL = "this computer"
KEY_HOLDER = "the function key"

_NAMES = (
    "preferred_username",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    "name",
)
_ROLES = ("roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role")


class DeniedError(Exception):
    """The page is not for whoever asks; the message says what to do."""

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.FORBIDDEN) -> None:
        super().__init__(message)
        self.status = status

    @property
    def may_sign_in(self) -> bool:
        """Whether signing in may help."""
        return self.status == HTTPStatus.UNAUTHORIZED


@dataclass(frozen=True)
class Visitor:
    """Somebody who looks at the page, and by which way they came in."""

    name: str
    roles: frozenset[str]
    by: Way

    @property
    def may_act(self) -> bool:
        """Whether they may retry, approve, roll back or suspend here.

        A function key says nothing of who holds it: with it one orders by the API.
        """
        return self.by != "key" and OPERATOR in self.roles


def visitor(asked: Asked, way: Way, reader_role: str = "") -> Visitor:
    """Who asks; `reader_role` is the app role to read with, empty: everybody who has signed in.

    Raises:
        DeniedError: the page is not for them.
    """
    if way == "key":
        return Visitor(KEY_HOLDER, frozenset(), way)
    if way == "loopback":
        if not is_loopback(asked.host):
            raise DeniedError("this page is for the computer that it runs on: open it by 127.0.0.1")
        return Visitor(LOCAL, frozenset({OPERATOR}), way)
    found = _signed_in(asked.headers.get(PRINCIPAL, ""))
    if reader_role and not found.roles & {reader_role, OPERATOR}:
        raise DeniedError(f"{found.name} has not the role {reader_role} of this application")
    return found


class _Claim(BaseModel):
    typ: Annotated[str, StringConstraints(max_length=512)]
    val: Annotated[str, StringConstraints(max_length=8192)]


class _Principal(BaseModel):
    auth_typ: Annotated[str, StringConstraints(max_length=64)]
    claims: Annotated[list[_Claim], Field(max_length=2000)]
    name_typ: Annotated[str, StringConstraints(max_length=512)] | None = None
    role_typ: Annotated[str, StringConstraints(max_length=512)] | None = None

    def values(self, *types: str | None) -> list[str]:
        """The values of these claims, those of the first type first."""
        return [c.val for typ in types if typ for c in self.claims if c.typ == typ and c.val]


def _signed_in(header: str) -> Visitor:
    if not header:
        raise DeniedError("sign in to see this page", HTTPStatus.UNAUTHORIZED)
    try:
        if len(header) > MAX_PRINCIPAL:
            raise ValueError("too long")
        principal = _Principal.model_validate_json(base64.b64decode(header, validate=True))
    except (ValidationError, ValueError, binascii.Error) as error:
        raise DeniedError(
            f"the header {PRINCIPAL} can't be read: sign out and in again",
            HTTPStatus.BAD_REQUEST,
        ) from error
    if principal.auth_typ != ENTRA:
        raise DeniedError("sign in with Entra ID: no other provider opens this page")
    name = next(iter(principal.values(*_NAMES, principal.name_typ)), "")
    if not name.strip():
        raise DeniedError("who has signed in has no name: let the app have the claim 'name'")
    roles = frozenset(principal.values(*_ROLES, principal.role_typ))
    return Visitor(name.strip()[:MAX_NAME], roles, "entra")

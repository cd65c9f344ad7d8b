"""Who the app signs in as, and whether it gets tokens. Pure."""

import base64
import json
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from tuneops.doctor.finding import Finding, failed, ok, skipped

_SIGN_IN = (
    "give the function app a managed identity (az functionapp identity assign --name APP "
    "--resource-group GROUP), set AZURE_CLIENT_ID where it is a user-assigned one; elsewhere sign "
    "in with az login"
)


class Principal(BaseModel):
    """Whom a token is for, by what it says itself; nothing is proven by that."""

    oid: str = ""
    appid: str = ""
    tid: str = ""

    def __str__(self) -> str:
        return f"object {self.oid or 'unknown'}, app {self.appid or 'unknown'}"


@dataclass(frozen=True)
class Got:
    """What came of asking for a token: it, or why there is none."""

    token: str = ""
    error: str = ""


def principal(token: str) -> Principal:
    """Whom a token is for; nobody known, where it can't be read."""
    payload = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        return Principal.model_validate(json.loads(text))
    except (ValueError, ValidationError):
        return Principal()


def judge(check: str, got: Got | None, audience: str, mend: str = _SIGN_IN) -> Finding:
    """Whether there is a token for an audience; nothing got: none is needed."""
    if got is None:
        return skipped(check, "not needed: a connection string is set", audience)
    if got.error:
        return failed(check, f"no token: {got.error}", mend, audience)
    return ok(check, f"signs in as {principal(got.token)}", audience)

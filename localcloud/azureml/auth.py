"""Who may call: bearer tokens of the local identity endpoint, checked as Azure checks its own."""

import hmac
from typing import Any

import jwt
from starlette.requests import Request

from localcloud.azureml.arm import ArmError
from localcloud.azureml.site import AML_RESOURCE
from localcloud.connection import Connection

LEEWAY_SECONDS = 30
SCORING_RESOURCE = "https://ml.azure.com"
"""What the SDK asks Entra tokens for endpoints for, in every cloud (azure-ai-ml 1.35)."""


class Authenticator:
    """Verifies tokens with the identity's signing key."""

    def __init__(self, connection: Connection) -> None:
        metadata = connection.cloud.metadata
        self._key = connection.identity.signing_key
        self._compute_key = connection.compute_key
        self._tenant = connection.tenant_id
        self._audiences = _audiences(
            metadata.resource_manager,
            metadata.aml_resource_id,
            connection.azureml_url,
            AML_RESOURCE,
            SCORING_RESOURCE,
        )

    def caller(self, request: Request) -> str:
        """The object id of the caller.

        Raises:
            ArmError: 401 when the bearer token is absent, forged, expired or for someone else.
        """
        return str(self.identify(request).get("oid", "unknown"))

    def identify(self, request: Request) -> dict[str, Any]:
        """The claims of the caller's token.

        Raises:
            ArmError: 401 when the bearer token is absent, forged, expired or for someone else.
        """
        token = bearer(request)
        if not token:
            raise ArmError(401, "AuthenticationFailed", "Authentication failed: no bearer token.")
        claims = self.claims(token, self._audiences)
        if claims.get("tid") != self._tenant:
            raise ArmError(
                401, "InvalidAuthenticationTokenTenant", "The token is of another tenant."
            )
        return claims

    def claims(self, token: str, audiences: list[str]) -> dict[str, Any]:
        """The token's claims.

        Raises:
            ArmError: 401 when the token is forged, expired or for another audience.
        """
        try:
            return jwt.decode(
                token,
                self._key,
                algorithms=["HS256"],
                audience=audiences,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "aud"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise ArmError(401, "ExpiredAuthenticationToken", "The token has expired.") from error
        except jwt.InvalidAudienceError as error:
            raise ArmError(
                401, "InvalidAuthenticationTokenAudience", f"The token is not for {audiences}."
            ) from error
        except jwt.InvalidTokenError as error:
            raise ArmError(
                401, "InvalidAuthenticationToken", f"The token is not valid: {error}"
            ) from error

    def issue(self, claims: dict[str, Any]) -> str:
        """A token that `claims` accepts."""
        return jwt.encode(claims, self._key, algorithm="HS256")

    def check_compute_node(self, request: Request) -> None:
        """Let only the compute node in.

        Raises:
            ArmError: 401 for a wrong `x-compute-key`.
        """
        key = request.headers.get("x-compute-key", "")
        if not hmac.compare_digest(key.encode(), self._compute_key.encode()):
            raise ArmError(401, "AuthenticationFailed", "The compute key is wrong.")


def bearer(request: Request) -> str:
    """The bearer token of a request, empty when there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _audiences(*resources: str) -> list[str]:
    bare = {resource.rstrip("/") for resource in resources}
    return sorted(bare | {f"{resource}/" for resource in bare})

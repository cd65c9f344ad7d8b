"""A managed identity as App Service offers it.

https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
"""

import hmac
import time
import uuid

import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.connection import Connection

PATH = "/msi/token"
API_VERSION = "2019-08-01"
LIFETIME_SECONDS = 24 * 3600


def identity_route(connection: Connection) -> Route:
    """The token endpoint."""
    tokens = Tokens(connection)
    return Route(PATH, tokens.respond)


class Tokens:
    """Gives tokens to whoever knows the identity header."""

    def __init__(self, connection: Connection) -> None:
        self._identity = connection.identity
        self._tenant = connection.tenant_id
        self._object_id = object_id(connection)
        self._client_id = _guid(connection, "client")

    async def respond(self, request: Request) -> Response:
        """``GET ?resource=...&api-version=2019-08-01`` with the header X-IDENTITY-HEADER."""
        given = request.headers.get("x-identity-header", "")
        if not hmac.compare_digest(given.encode(), self._identity.header.encode()):
            return _error(401, "the header X-IDENTITY-HEADER is missing or wrong")
        if request.query_params.get("api-version") != API_VERSION:
            return _error(400, f"api-version has to be {API_VERSION}")
        resource = request.query_params.get("resource")
        if not resource:
            return _error(400, "the query parameter resource is missing")
        expires = int(time.time()) + LIFETIME_SECONDS
        return JSONResponse(
            {
                "access_token": self.token(resource, expires),
                "client_id": self._client_id,
                "expires_on": str(expires),
                "resource": resource,
                "token_type": "Bearer",
            }
        )

    def token(self, resource: str, expires: int) -> str:
        """A signed token for the resource; ``expires`` in seconds since 1970."""
        now = int(time.time())
        claims = {
            "aud": resource,
            "iss": f"https://sts.windows.net/{self._tenant}/",
            "iat": now,
            "nbf": now,
            "exp": expires,
            "appid": self._client_id,
            "oid": self._object_id,
            "sub": self._object_id,
            "tid": self._tenant,
        }
        return jwt.encode(claims, self._identity.signing_key, algorithm="HS256")


def object_id(connection: Connection) -> str:
    """Who the identity is."""
    return _guid(connection, "identity")


def _guid(connection: Connection, name: str) -> str:
    scope = f"{connection.subscription_id}/{connection.resource_group}"
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{scope}/{name}"))


def _error(status: int, message: str) -> Response:
    return JSONResponse({"statusCode": status, "message": message}, status)

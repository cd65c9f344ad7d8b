"""The storage account for callers with tokens: what their roles allow is passed on to Azurite.

Azurite knows no roles. Clients with an identity come here: to `localhost` for blobs, and to
`127.0.0.1` for queues, as their SDK takes both addresses to have the account's name for a path.
"""

import uuid
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
from azure.storage.blob import (
    AccountSasPermissions,
    BlobServiceClient,
    ResourceTypes,
    generate_account_sas,
)
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from localcloud.azureml.arm import ArmError
from localcloud.azureml.auth import Authenticator, bearer
from localcloud.azureml.grants import Grants
from localcloud.azureml.passing import METHODS, pass_on
from localcloud.azureml.site import Site
from localcloud.azureml.storage_actions import of_blobs, of_queues

AUDIENCES = ["https://storage.azure.com", "https://storage.azure.com/"]
QUEUE_HOST = "127.0.0.1"
TIMEOUT_SECONDS = 60.0
SIGNED_HOURS = 24
_ALL = ("read", "write", "delete", "list", "add", "create", "update", "process")


class StorageDoor:
    """The routes of the account."""

    def __init__(self, site: Site, auth: Authenticator, grants: Grants, identity: str) -> None:
        self._site = site
        self._auth = auth
        self._grants = grants
        self._identity = identity
        self._client = httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)
        self._signed, self._until = "", datetime.now(UTC)

    def routes(self) -> list[Route]:
        """The account, and all below it."""
        account = f"/{self._site.connection.storage.account}"
        paths = (account, f"{account}/{{rest:path}}")
        return [Route(path, self.answer, methods=METHODS) for path in paths]

    async def close(self) -> None:
        """Close the connections to Azurite."""
        await self._client.aclose()

    async def answer(self, request: Request) -> Response:
        """What Azurite says, if the caller's roles allow to ask."""
        queues = request.url.hostname == QUEUE_HOST
        path = request.path_params.get("rest", "")
        asked = (of_queues if queues else of_blobs)(request.method, path, request.query_params)
        try:
            caller = str(self._auth.claims(bearer(request), AUDIENCES).get("oid", "unknown"))
        except ArmError as error:
            return _refused(401, "InvalidAuthenticationInfo", error.message)
        if caller == self._identity:
            self._grants.note(asked.action, data=asked.data)
        scope = f"{self._site.storage_path}/{asked.where}"
        if not self._grants.allow(asked.action, scope, data=asked.data):
            said = "This request is not authorized to perform this operation using this permission."
            return _refused(403, "AuthorizationPermissionMismatch", said)
        storage = self._site.connection.storage
        base = storage.queue_url if queues else storage.blob_url
        raw = request.scope["raw_path"].decode("ascii").partition(f"/{storage.account}")[2]
        query = request.scope["query_string"].decode("ascii")
        url = f"{base.rstrip('/')}{raw}?{'&'.join(filter(None, (query, self._signature())))}"
        return await pass_on(self._client, request, url)

    def _signature(self) -> str:
        """What opens the whole account."""
        now = datetime.now(UTC)
        if now >= self._until - timedelta(hours=1):
            self._until = now + timedelta(hours=SIGNED_HOURS)
            text = self._site.connection.storage.connection_string
            with BlobServiceClient.from_connection_string(text) as service:
                self._signed = generate_account_sas(
                    self._site.connection.storage.account,
                    service.credential.account_key,
                    ResourceTypes(service=True, container=True, object=True),
                    AccountSasPermissions(**dict.fromkeys(_ALL, True)),
                    self._until,
                    services="bq",
                )
        return self._signed


def _refused(status: int, code: str, said: str) -> Response:
    """A refusal in Storage's own shape."""
    identifier, now = uuid.uuid4(), datetime.now(UTC)
    body = (
        '<?xml version="1.0" encoding="utf-8"?>'
        f"<Error><Code>{code}</Code><Message>{said}\nRequestId:{identifier}\n"
        f"Time:{now.isoformat()}</Message></Error>"
    )
    headers = {
        "x-ms-error-code": code,
        "x-ms-request-id": str(identifier),
        "date": format_datetime(now, usegmt=True),
    }
    return Response(body, status, headers, media_type="application/xml")

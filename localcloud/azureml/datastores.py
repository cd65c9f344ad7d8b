"""The workspace's default datastore: a container in the storage account, reached through here.

The SDK makes an account's address as `https://ACCOUNT.blob.SUFFIX`, and no such host resolves to
this machine. So the account's name holds this server's address, and requests pass through it.
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import httpx2
from azure.core.exceptions import AzureError, ResourceExistsError
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from localcloud.azureml.arm import PROVIDER, ArmError, Json, not_found, page, system_data
from localcloud.azureml.site import DATASTORE, Site

METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"]
SECRET_HOURS = 1
STORAGE_SECONDS = 60.0
_HOP_BY_HOP = frozenset({"connection", "host", "keep-alive", "transfer-encoding", "upgrade"})


class Datastores:
    """The datastore routes, and the way to the datastore's blobs."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._client = httpx2.AsyncClient(timeout=STORAGE_SECONDS, trust_env=False)

    def routes(self) -> list[Route]:
        """Routes below the workspace."""
        return [
            Route("/datastores", self.list_datastores),
            Route("/datastores/{datastore}", self.get_datastore),
            Route("/datastores/{datastore}/listSecrets", self.list_secrets, methods=["POST"]),
        ]

    def public_routes(self) -> list[Route]:
        """The blobs: the storage account checks the signature that each request carries."""
        container = self._site.datastore_container
        account = f"/storage/{self._site.connection.storage.account}.blob.{{suffix}}"
        return [
            Route(f"{account}/{container}", self.pass_on, methods=METHODS),
            Route(f"{account}/{container}/{{blob:path}}", self.pass_on, methods=METHODS),
            Route("/storage/{other:path}", self.refuse, methods=METHODS),
        ]

    async def close(self) -> None:
        """Close the connections to the storage account."""
        await self._client.aclose()

    async def list_datastores(self, request: Request) -> Response:
        """All datastores: the default one."""
        return page(request, [self._datastore()], self._site.url)

    async def get_datastore(self, request: Request) -> Response:
        """One datastore."""
        _check_name(request)
        return JSONResponse(self._datastore())

    async def list_secrets(self, request: Request) -> Response:
        """A signature that opens the datastore's container for an hour."""
        _check_name(request)
        try:
            token = await asyncio.to_thread(self._signature)
        except AzureError as error:
            message = f"The storage account does not answer: {type(error).__name__}"
            raise ArmError(503, "ServiceUnavailable", message) from error
        return JSONResponse({"secretsType": "Sas", "sasToken": token})

    async def pass_on(self, request: Request) -> Response:
        """A request of the storage account, there and back without keeping it in memory."""
        storage = self._site.connection.storage
        raw = request.scope["raw_path"].decode("ascii").partition(f"/{self._container}")[2]
        query = request.scope["query_string"].decode("ascii")
        url = f"{storage.blob_url.rstrip('/')}/{self._container}{raw}?{query}"
        headers = [
            (name, value)
            for name, value in request.headers.items()
            if name.lower() not in _HOP_BY_HOP
        ]
        sent = self._client.build_request(
            request.method, url, headers=headers, content=request.stream()
        )
        try:
            answer = await self._client.send(sent, stream=True)
        except httpx2.HTTPError as error:
            message = f"The storage account does not answer: {type(error).__name__}"
            raise ArmError(503, "ServerBusy", message) from error
        kept = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP_BY_HOP}
        return StreamingResponse(
            answer.aiter_raw(), answer.status_code, kept, background=BackgroundTask(answer.aclose)
        )

    async def refuse(self, request: Request) -> Response:
        """Other containers are not reached here."""
        raise ArmError(404, "ContainerNotFound", "There is only the datastore's container here.")

    @property
    def _container(self) -> str:
        return self._site.datastore_container

    def _signature(self) -> str:
        storage = self._site.connection.storage
        with BlobServiceClient.from_connection_string(
            storage.connection_string, retry_total=0
        ) as service:
            with suppress(ResourceExistsError):
                service.create_container(self._container)
            return generate_container_sas(
                storage.account,
                self._container,
                account_key=service.credential.account_key,
                permission=ContainerSasPermissions(
                    read=True, add=True, create=True, write=True, delete=True, list=True
                ),
                expiry=datetime.now(UTC) + timedelta(hours=SECRET_HOURS),
            )

    def _datastore(self) -> Json:
        site, connection = self._site, self._site.connection
        address = site.url.partition("://")[2]
        return {
            "id": f"{site.workspace_path}/datastores/{DATASTORE}",
            "name": DATASTORE,
            "type": f"{PROVIDER}/workspaces/datastores",
            "properties": {
                "description": None,
                "tags": {},
                "properties": {},
                "isDefault": True,
                "datastoreType": "AzureBlob",
                "credentials": {"credentialsType": "AccountKey"},
                "accountName": f"{address}/storage/{connection.storage.account}",
                "containerName": self._container,
                "endpoint": connection.cloud.metadata.storage_endpoint,
                "protocol": "https",
                "serviceDataAccessAuthIdentity": "None",
                "subscriptionId": connection.subscription_id,
                "resourceGroup": connection.resource_group,
            },
            "systemData": system_data(site.guid("identity")),
        }


def _check_name(request: Request) -> None:
    if request.path_params["datastore"] != DATASTORE:
        raise not_found("Datastore", request.path_params["datastore"])

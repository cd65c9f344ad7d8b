"""The workspace's datastores: containers of the storage account, reached through here."""

import asyncio

import httpx2
from azure.core.exceptions import AzureError
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from localcloud.azureml.arm import PROVIDER, ArmError, Json, not_found, page, system_data
from localcloud.azureml.containers import Containers
from localcloud.azureml.site import DATASTORE, Site

METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"]
STORAGE_SECONDS = 60.0
_HOP_BY_HOP = frozenset({"connection", "host", "keep-alive", "transfer-encoding", "upgrade"})


class Datastores:
    """The datastore routes, and the way to the datastore's blobs."""

    def __init__(self, site: Site, containers: Containers) -> None:
        self._site = site
        self._containers = containers
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
        account = f"/storage/{self._site.connection.storage.account}.blob.{{suffix}}"
        return [
            *(
                Route(f"{account}/{container}{rest}", self.pass_on, methods=METHODS)
                for container in self._site.containers.values()
                for rest in ("", "/{blob:path}")
            ),
            Route("/storage/{other:path}", self.refuse, methods=METHODS),
        ]

    async def close(self) -> None:
        """Close the connections to the storage account."""
        await self._client.aclose()

    async def list_datastores(self, request: Request) -> Response:
        """All datastores, or the default one alone."""
        found = [self._datastore(name) for name in self._site.containers]
        if request.query_params.get("isDefault", "").lower() == "true":
            found = [item for item in found if item["properties"]["isDefault"]]
        return page(request, found, self._site.url)

    async def get_datastore(self, request: Request) -> Response:
        """One datastore."""
        return JSONResponse(self._datastore(request.path_params["datastore"]))

    async def list_secrets(self, request: Request) -> Response:
        """A signature that opens the datastore's container for an hour."""
        container = self._datastore(request.path_params["datastore"])["properties"]["containerName"]
        try:
            token = await asyncio.to_thread(self._containers.signature, container, writable=True)
        except AzureError as error:
            message = f"The storage account does not answer: {type(error).__name__}"
            raise ArmError(503, "ServiceUnavailable", message) from error
        return JSONResponse({"secretsType": "Sas", "sasToken": token})

    async def pass_on(self, request: Request) -> Response:
        """A request of the storage account, there and back without keeping it in memory."""
        storage = self._site.connection.storage
        path = request.scope["raw_path"].decode("ascii").split("/", 3)[3]
        query = request.scope["query_string"].decode("ascii")
        url = f"{storage.blob_url.rstrip('/')}/{path}?{query}"
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

    def _datastore(self, name: str) -> Json:
        site, connection = self._site, self._site.connection
        if name not in site.containers:
            raise not_found("Datastore", name)
        return {
            "id": f"{site.workspace_path}/datastores/{name}",
            "name": name,
            "type": f"{PROVIDER}/workspaces/datastores",
            "properties": {
                "description": None,
                "tags": {},
                "properties": {},
                "isDefault": name == DATASTORE,
                "datastoreType": "AzureBlob",
                "credentials": {"credentialsType": "Sas"},
                "accountName": site.account_name,
                "containerName": site.containers[name],
                "endpoint": connection.cloud.metadata.storage_endpoint,
                "protocol": "https",
                "serviceDataAccessAuthIdentity": "None",
                "subscriptionId": connection.subscription_id,
                "resourceGroup": connection.resource_group,
            },
            "systemData": system_data(site.guid("identity")),
        }

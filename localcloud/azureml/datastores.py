"""The workspace's datastores: containers of the storage account, reached through here."""

import asyncio
import re

import httpx2
from azure.core.exceptions import AzureError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import (
    PROVIDER,
    ArmError,
    Json,
    not_found,
    page,
    system_data,
    user_error,
)
from localcloud.azureml.auth import Authenticator, bearer
from localcloud.azureml.bodies import read_json, section, string_map, text
from localcloud.azureml.containers import Containers
from localcloud.azureml.passing import METHODS, pass_on
from localcloud.azureml.places import DATASTORES
from localcloud.azureml.site import CODE_CONTAINER, DATASTORE, Site
from localcloud.azureml.store import Store

STORAGE_SECONDS = 60.0
STORAGE_AUDIENCES = ["https://storage.azure.com", "https://storage.azure.com/"]
NAME = re.compile(r"[a-zA-Z0-9_]{1,255}")


class Datastores:
    """The datastore routes, and the way to the datastore's blobs."""

    def __init__(
        self, site: Site, store: Store, containers: Containers, auth: Authenticator
    ) -> None:
        self._site = site
        self._store = store
        self._auth = auth
        self._containers = containers
        self._client = httpx2.AsyncClient(timeout=STORAGE_SECONDS, trust_env=False)

    def routes(self) -> list[Route]:
        """Routes below the workspace."""
        return [
            Route("/datastores", self.list_datastores),
            Route("/datastores/{datastore}", self.get_datastore, methods=["GET"]),
            Route("/datastores/{datastore}", self.put_datastore, methods=["PUT"]),
            Route("/datastores/{datastore}", self.delete_datastore, methods=["DELETE"]),
            Route("/datastores/{datastore}/listSecrets", self.list_secrets, methods=["POST"]),
        ]

    def public_routes(self) -> list[Route]:
        """The blobs: the storage account checks the signature that each request carries."""
        account = f"/storage/{self._site.connection.storage.account}.blob.{{suffix}}"
        return [
            *(
                Route(f"{account}/{{container}}{rest}", self.pass_on, methods=METHODS)
                for rest in ("", "/{blob:path}")
            ),
            Route("/storage/{other:path}", self.refuse, methods=METHODS),
        ]

    async def close(self) -> None:
        """Close the connections to the storage account."""
        await self._client.aclose()

    async def list_datastores(self, request: Request) -> Response:
        """All datastores, or the default one alone."""
        own = [self._datastore(name) for name in self._site.containers]
        found = [*own, *self._store.list(DATASTORES)]
        if request.query_params.get("isDefault", "").lower() == "true":
            found = [item for item in found if item["properties"]["isDefault"]]
        return page(request, found, self._site.url)

    async def get_datastore(self, request: Request) -> Response:
        """One datastore."""
        return JSONResponse(self._datastore(request.path_params["datastore"]))

    async def put_datastore(self, request: Request) -> Response:
        """Register a container of the storage account, or change what is registered.

        The account may be given by its own name; answers have the one that the SDK can reach.
        """
        name = request.path_params["datastore"]
        if name in self._site.containers or not NAME.fullmatch(name):
            raise user_error(f"The name '{name}' of the datastore is not valid.", target="name")
        properties = self._new_properties(section(await read_json(request), "properties"))
        before = self._store.get(DATASTORES, name)
        system = system_data(request.state.caller, before and before["systemData"])
        record = self._resource(name, properties, system)
        self._store.put(DATASTORES, name, record)
        return JSONResponse(record, status_code=200 if before else 201)

    async def delete_datastore(self, request: Request) -> Response:
        """Forget a registered datastore; its container stays."""
        name = request.path_params["datastore"]
        if name in self._site.containers:
            raise user_error(f"The workspace needs its datastore '{name}'.", target="name")
        existed = self._store.get(DATASTORES, name) is not None
        self._store.delete(DATASTORES, name)
        return Response(status_code=200 if existed else 204)

    async def list_secrets(self, request: Request) -> Response:
        """A signature that opens the datastore's container for an hour."""
        properties = self._datastore(request.path_params["datastore"])["properties"]
        if properties["credentials"]["credentialsType"] == "None":
            return JSONResponse({"secretsType": "None"})
        token = await self._signature(properties["containerName"])
        return JSONResponse({"secretsType": "Sas", "sasToken": token})

    async def pass_on(self, request: Request) -> Response:
        """A request of the storage account, there and back without keeping it in memory."""
        storage = self._site.connection.storage
        path = request.scope["raw_path"].decode("ascii").split("/", 3)[3]
        query = await self._signed(request)
        url = f"{storage.blob_url.rstrip('/')}/{path}?{query}"
        return await pass_on(self._client, request, url)

    async def refuse(self, request: Request) -> Response:
        """Other accounts are not reached here."""
        raise ArmError(404, "ContainerNotFound", "There are only the datastores' containers here.")

    async def _signed(self, request: Request) -> str:
        """The query that opens the container.

        What a caller signed is passed on as it is. A bearer token opens the containers of the
        datastores without credentials, as the caller's own role would in Azure.
        """
        query: str = request.scope["query_string"].decode("ascii")
        container = request.path_params["container"]
        registered = container in self._registered_containers()
        known = registered or container in self._site.containers.values()
        if not known and not container.startswith(CODE_CONTAINER):
            raise ArmError(404, "ContainerNotFound", "There are only the datastores' containers.")
        if not registered or not bearer(request):
            return query
        self._auth.claims(bearer(request), STORAGE_AUDIENCES)
        token = await self._signature(container)
        return f"{query}&{token}" if query else token

    async def _signature(self, container: str) -> str:
        try:
            return await asyncio.to_thread(self._containers.signature, container, writable=True)
        except AzureError as error:
            message = f"The storage account does not answer: {type(error).__name__}"
            raise ArmError(503, "ServiceUnavailable", message) from error

    def _registered_containers(self) -> set[str]:
        records = self._store.list(DATASTORES)
        return {str(record["properties"]["containerName"]) for record in records}

    def _new_properties(self, properties: Json) -> Json:
        """The properties of a datastore that a caller registers; secrets are not kept."""
        kind = text(properties, "datastoreType")
        if kind != "AzureBlob":
            raise user_error(f"There are no datastores of type '{kind}' here.")
        account = text(properties, "accountName")
        if account not in (self._site.connection.storage.account, self._site.account_name):
            message = f"The storage account '{account}' does not exist."
            raise user_error(message, target="accountName")
        credentials = section(properties, "credentials")
        return self._properties(text(properties, "containerName")) | {
            "description": properties.get("description"),
            "tags": string_map(properties, "tags"),
            "properties": string_map(properties, "properties"),
            "credentials": {"credentialsType": text(credentials, "credentialsType", "None")},
        }

    def _datastore(self, name: str) -> Json:
        site = self._site
        if name in site.containers:
            own = {"isDefault": name == DATASTORE, "credentials": {"credentialsType": "Sas"}}
            properties = self._properties(site.containers[name]) | own
            return self._resource(name, properties, system_data(site.guid("identity")))
        record = self._store.get(DATASTORES, name)
        if record is None:
            raise not_found("Datastore", name)
        return record

    def _resource(self, name: str, properties: Json, system: Json) -> Json:
        return {
            "id": f"{self._site.workspace_path}/datastores/{name}",
            "name": name,
            "type": f"{PROVIDER}/workspaces/datastores",
            "properties": properties,
            "systemData": system,
        }

    def _properties(self, container: str) -> Json:
        connection = self._site.connection
        return {
            "description": None,
            "tags": {},
            "properties": {},
            "isDefault": False,
            "datastoreType": "AzureBlob",
            "credentials": {"credentialsType": "None"},
            "accountName": self._site.account_name,
            "containerName": container,
            "endpoint": connection.cloud.metadata.storage_endpoint,
            "protocol": "https",
            "serviceDataAccessAuthIdentity": "None",
            "subscriptionId": connection.subscription_id,
            "resourceGroup": connection.resource_group,
        }

"""Managed online endpoints: their resources, traffic rules and keys."""

import asyncio
import secrets
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import (
    ENDPOINT_NAME,
    Json,
    check_name,
    conflict,
    not_found,
    page,
    user_error,
)
from localcloud.azureml.auth import Authenticator
from localcloud.azureml.bodies import choice, read_json
from localcloud.azureml.deployments import (
    BUSY,
    DEPLOYMENTS,
    OPERATION,
    Deployments,
    operation_name,
    without_operation,
)
from localcloud.azureml.endpoint_resource import endpoint_resource
from localcloud.azureml.operations import Operations
from localcloud.azureml.site import API_VERSION, Site
from localcloud.azureml.store import Store

ENDPOINTS, KEYS = "endpoints", "endpoint-keys"
PROVISIONING_SECONDS = 1.0
TOKEN_SECONDS = 12 * 3600


class Endpoints:
    """The endpoint routes."""

    def __init__(
        self,
        site: Site,
        store: Store,
        operations: Operations,
        deployments: Deployments,
        auth: Authenticator,
        limit: int,
    ) -> None:
        self._site = site
        self._store = store
        self._operations = operations
        self._deployments = deployments
        self._auth = auth
        self._limit = limit

    def routes(self) -> list[Route]:
        """Routes below the workspace."""
        path = "/onlineEndpoints/{endpoint}"
        return [
            Route("/onlineEndpoints", self.list_endpoints),
            Route(path, self.get_endpoint, methods=["GET"]),
            Route(path, self.put_endpoint, methods=["PUT"]),
            Route(path, self.delete_endpoint, methods=["DELETE"]),
            Route(f"{path}/listKeys", self.list_keys, methods=["POST"]),
            Route(f"{path}/regenerateKeys", self.regenerate_keys, methods=["POST"]),
            Route(f"{path}/token", self.get_token, methods=["POST"]),
        ]

    def start(self) -> None:
        """Finish the operations that a restart cut short."""
        for resource in self._store.list(ENDPOINTS):
            state = resource["properties"]["provisioningState"]
            if state in ("Creating", "Updating"):
                self._begin_provisioning(resource["name"], operation_name(resource))
            elif state == "Deleting":
                self._begin_deletion(resource["name"], operation_name(resource))

    async def list_endpoints(self, request: Request) -> Response:
        """All endpoints."""
        return page(request, self._store.list(ENDPOINTS), self._site.url)

    async def get_endpoint(self, request: Request) -> Response:
        """One endpoint."""
        return JSONResponse(self._get(request))

    async def put_endpoint(self, request: Request) -> Response:
        """Create an endpoint or change its traffic, tags or description."""
        name = check_name("endpoint", request.path_params["endpoint"], ENDPOINT_NAME)
        body = await read_json(request)
        before = self._store.get(ENDPOINTS, name)
        if before is not None and before["properties"]["provisioningState"] == "Deleting":
            raise conflict(f"Endpoint '{name}' is being deleted.")
        if before is None and self._store.count(ENDPOINTS) >= self._limit:
            raise user_error(f"A subscription has at most {self._limit} endpoints in a region.")
        deployments = self._store.list(DEPLOYMENTS, f"{name}/")
        caller = request.state.caller
        resource = endpoint_resource(self._site, name, body, deployments, caller, before)
        if before is not None and _wanted(before) == _wanted(resource):
            return JSONResponse(before)
        if before is not None and before["properties"]["provisioningState"] in BUSY:
            raise conflict(f"Endpoint '{name}' is busy: an operation on it is under way.")
        resource["properties"]["provisioningState"] = "Creating" if before is None else "Updating"
        if before is None:
            self._store.put(KEYS, name, {"Primary": _new_key(), "Secondary": _new_key()})
        self._store.put(ENDPOINTS, name, resource)
        operation = self._begin_provisioning(name)
        headers = self._operations.headers(operation, _version(request), str(request.url))
        status = 201 if before is None else 200
        return JSONResponse(self._get(request), status_code=status, headers=headers)

    async def delete_endpoint(self, request: Request) -> Response:
        """Delete an endpoint with all its deployments; 204 when it is not there.

        A second DELETE is answered with the first one's operation.
        """
        name = request.path_params["endpoint"]
        resource = self._store.get(ENDPOINTS, name)
        if resource is None:
            return Response(status_code=204)
        operation = operation_name(resource)
        if operation is None or resource["properties"]["provisioningState"] != "Deleting":
            resource["properties"]["provisioningState"] = "Deleting"
            self._store.put(ENDPOINTS, name, resource)
            operation = self._begin_deletion(name)
        headers = self._operations.headers(operation, _version(request))
        return JSONResponse(None, status_code=202, headers=headers)

    async def list_keys(self, request: Request) -> Response:
        """The endpoint's keys, for key authentication only."""
        resource = self._get_with_keys(request)
        keys = self._store.get(KEYS, resource["name"]) or {}
        return JSONResponse({"primaryKey": keys["Primary"], "secondaryKey": keys["Secondary"]})

    async def regenerate_keys(self, request: Request) -> Response:
        """Replace one of the endpoint's keys."""
        resource = self._get_with_keys(request)
        body = await read_json(request)
        kind = choice(body, "keyType", ("Primary", "Secondary"))
        keys = self._store.get(KEYS, resource["name"]) or {}
        value = body.get("keyValue")
        # The SDK sends the key as it is when it wants a new one.
        if not isinstance(value, str) or not value or value == keys[kind]:
            value = _new_key()
        self._store.put(KEYS, resource["name"], {**keys, kind: value})
        return Response(status_code=200)

    async def get_token(self, request: Request) -> Response:
        """A token for an endpoint with token authentication."""
        resource = self._get(request)
        if resource["properties"]["authMode"] != "AMLToken":
            raise user_error(f"Endpoint '{resource['name']}' does not use token authentication.")
        expiry = int(time.time()) + TOKEN_SECONDS
        token = self._auth.issue({"aud": resource["id"], "exp": expiry})
        return JSONResponse(
            {
                "accessToken": token,
                "tokenType": "Bearer",
                "expiryTimeUtc": expiry,
                "refreshAfterTimeUtc": expiry - TOKEN_SECONDS // 2,
            }
        )

    def _get(self, request: Request) -> Json:
        name = request.path_params["endpoint"]
        resource = self._store.get(ENDPOINTS, name)
        if resource is None:
            raise not_found("Endpoint", name)
        return resource

    def _get_with_keys(self, request: Request) -> Json:
        resource = self._get(request)
        if resource["properties"]["authMode"] != "Key":
            raise user_error(f"Endpoint '{resource['name']}' does not use key authentication.")
        return resource

    def _begin_provisioning(self, name: str, operation: str | None = None) -> str:
        async def provision() -> None:
            await asyncio.sleep(PROVISIONING_SECONDS)
            self._settle(name)

        operation = self._operations.begin(f"{ENDPOINTS}/{name}", provision, operation)
        self._remember(name, operation)
        return operation

    def _begin_deletion(self, name: str, operation: str | None = None) -> str:
        async def delete() -> None:
            for record in self._store.list(DEPLOYMENTS, f"{name}/"):
                await self._deployments.remove(name, record["resource"]["name"])
            await asyncio.sleep(PROVISIONING_SECONDS)
            with self._store.transaction():
                self._store.delete(KEYS, name)
                self._store.delete(ENDPOINTS, name)

        operation = self._operations.begin(f"{ENDPOINTS}/{name}", delete, operation)
        self._remember(name, operation)
        return operation

    def _settle(self, name: str) -> None:
        resource = self._store.get(ENDPOINTS, name)
        if resource is not None:
            address = f"{self._site.url}/endpoints/{name}"
            resource["properties"] |= {
                "provisioningState": "Succeeded",
                "scoringUri": f"{address}/score",
                "swaggerUri": f"{address}/swagger.json",
            }
            self._store.put(ENDPOINTS, name, resource)

    def _remember(self, name: str, operation: str) -> None:
        resource = self._store.get(ENDPOINTS, name)
        if resource is not None:
            url = self._operations.status_url(operation, API_VERSION)
            resource["properties"]["properties"][OPERATION] = url
            self._store.put(ENDPOINTS, name, resource)


def _wanted(resource: Json) -> Json:
    """What a caller decides of an endpoint, to see whether a PUT changes anything."""
    keys = ("description", "authMode", "traffic", "mirrorTraffic", "publicNetworkAccess")
    chosen = {key: resource["properties"][key] for key in keys}
    own = without_operation(resource["properties"]["properties"])
    return chosen | {"tags": resource["tags"], "properties": own}


def _new_key() -> str:
    return secrets.token_urlsafe(32)


def _version(request: Request) -> str:
    return request.query_params.get("api-version", API_VERSION)

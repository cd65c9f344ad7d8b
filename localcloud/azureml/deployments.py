"""Managed online deployments: a registered model behind an endpoint."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import (
    ENDPOINT_NAME,
    ArmError,
    Json,
    check_name,
    conflict,
    not_found,
    page,
    user_error,
)
from localcloud.azureml.assets import Assets
from localcloud.azureml.bodies import read_json, whole_number
from localcloud.azureml.deployment_resource import deployment_resource
from localcloud.azureml.events import Outbox
from localcloud.azureml.faults import HANG_SECONDS, Faults
from localcloud.azureml.fleet import Container, Fleet, ScoringFailedError, log_tail
from localcloud.azureml.operations import Operations, Work
from localcloud.azureml.quota import Quota
from localcloud.azureml.site import API_VERSION, Site
from localcloud.azureml.store import Store
from localcloud.azureml.traffic import check_unused, forget

DEPLOYMENTS = "deployments"
OPERATION = "AzureAsyncOperationUri"
STORAGE_INITIALIZER = "StorageInitializer"
PROVISIONING_SECONDS = 1.0
BASE_MODEL_POLL_SECONDS = 0.5
MAX_PER_ENDPOINT = 20
BUSY = ("Creating", "Updating", "Deleting")


class Deployments:
    """The deployment routes.

    A deployment's record is `{"resource", "submitted", "serving"}`: the ARM resource; what the
    last PUT asked for, so that the same PUT again changes nothing; and what the last operation
    that succeeded put in place, which stays there when an update fails.
    """

    def __init__(
        self,
        site: Site,
        store: Store,
        operations: Operations,
        assets: Assets,
        fleet: Fleet,
        outbox: Outbox,
        quota: Quota,
        faults: Faults,
        limit: int,
    ) -> None:
        self._site = site
        self._store = store
        self._operations = operations
        self._assets = assets
        self._fleet = fleet
        self._outbox = outbox
        self._quota = quota
        self._faults = faults
        self._limit = limit

    def routes(self) -> list[Route]:
        """Routes below the workspace."""
        path = "/onlineEndpoints/{endpoint}/deployments"
        return [
            Route(path, self.list_deployments),
            Route(f"{path}/{{deployment}}", self.get_deployment, methods=["GET"]),
            Route(f"{path}/{{deployment}}", self.put_deployment, methods=["PUT"]),
            Route(f"{path}/{{deployment}}", self.delete_deployment, methods=["DELETE"]),
            Route(f"{path}/{{deployment}}/getLogs", self.get_logs, methods=["POST"]),
        ]

    def start(self) -> None:
        """Run the scoring processes again and finish what a restart cut short."""
        for record in self._store.list(DEPLOYMENTS):
            resource = record["resource"]
            key, state = _key_of(resource), resource["properties"]["provisioningState"]
            if state == "Deleting":
                self._begin_deletion(key, operation_name(resource))
                continue
            if record["serving"]:
                self._fleet.resume(key, Container.of(record["serving"]))
            if state in ("Creating", "Updating"):
                self._begin_provisioning(key, operation_name(resource))

    async def remove(self, endpoint: str, name: str) -> None:
        """End a deployment's process and forget it."""
        key = f"{endpoint}/{name}"
        self._operations.cancel(f"{DEPLOYMENTS}/{key}")
        await self._delete(key)

    async def list_deployments(self, request: Request) -> Response:
        """The deployments of an endpoint."""
        name = self._endpoint(request)["name"]
        found = [record["resource"] for record in self._store.list(DEPLOYMENTS, f"{name}/")]
        return page(request, found, self._site.url)

    async def get_deployment(self, request: Request) -> Response:
        """One deployment."""
        return JSONResponse(self._record(request)["resource"])

    async def put_deployment(self, request: Request) -> Response:
        """Create a deployment or change it."""
        name = check_name("deployment", request.path_params["deployment"], ENDPOINT_NAME)
        body = await read_json(request)
        endpoint = self._endpoint(request)
        key = f"{endpoint['name']}/{name}"
        before = self._store.get(DEPLOYMENTS, key)
        self._check_endpoint(endpoint, before)
        resource = deployment_resource(
            endpoint, name, body, self._assets, request.state.caller, before and before["resource"]
        )
        submitted = {
            **resource["properties"],
            "properties": without_operation(resource["properties"]["properties"]),
            "tags": resource["tags"],
            "sku": resource["sku"],
        }
        if before is not None and before["submitted"] == submitted:
            state = before["resource"]["properties"]["provisioningState"]
            if state != "Failed":
                return self._answer(request, before["resource"], 200)
        if before is not None and before["resource"]["properties"]["provisioningState"] in BUSY:
            raise _busy(name)
        resource["properties"]["provisioningState"] = "Creating" if before is None else "Updating"
        serving = before["serving"] if before else None
        record = {"resource": resource, "submitted": submitted, "serving": serving}
        self._store.put(DEPLOYMENTS, key, record)
        self._begin_provisioning(key)
        return self._answer(request, self._record(request)["resource"], 200 if before else 201)

    async def delete_deployment(self, request: Request) -> Response:
        """Delete a deployment without traffic; 204 when it is not there.

        As long as it is being created or changed the answer is 409: a client asks again when
        that operation has ended. A second DELETE is answered with the first one's operation.
        """
        endpoint = self._endpoint(request)
        name = request.path_params["deployment"]
        record = self._store.get(DEPLOYMENTS, f"{endpoint['name']}/{name}")
        if record is None:
            return Response(status_code=204)
        check_unused(endpoint, name)
        resource = record["resource"]
        state, operation = resource["properties"]["provisioningState"], operation_name(resource)
        if state in ("Creating", "Updating"):
            raise _busy(name)
        if state != "Deleting" or operation is None:
            resource["properties"]["provisioningState"] = "Deleting"
            self._store.put(DEPLOYMENTS, _key_of(resource), record)
            operation = self._begin_deletion(_key_of(resource))
        headers = self._operations.headers(operation, _version(request))
        return JSONResponse(None, status_code=202, headers=headers)

    async def get_logs(self, request: Request) -> Response:
        """The end of what the scoring process wrote, or how it came by its model."""
        record = self._record(request)
        body = await read_json(request)
        lines = whole_number(body, "tail", 50, 0, 10000) or 50
        if body.get("containerType") == STORAGE_INITIALIZER:
            return JSONResponse({"content": _initializer_log(record)})
        path = scoring_log(self._site, _key_of(record["resource"]))
        return JSONResponse({"content": log_tail(path, lines)})

    def _answer(self, request: Request, resource: Json, status: int) -> Response:
        headers = {}
        if resource["properties"]["provisioningState"] != "Succeeded":
            operation = operation_name(resource) or ""
            headers = self._operations.headers(operation, _version(request), str(request.url))
        return JSONResponse(resource, status_code=status, headers=headers)

    def _begin_provisioning(self, key: str, operation: str | None = None) -> str:
        async def provision() -> None:
            try:
                await self._provision(key)
            except ScoringFailedError as error:
                self._set_state(key, "Failed")
                raise ArmError(400, "ResourceNotReady", str(error)) from error
            except Exception:
                self._set_state(key, "Failed")
                raise

        return self._begin(key, operation, provision)

    async def _provision(self, key: str) -> None:
        record = self._stored(key)
        self._quota.check_deployment(record)
        await self._go_wrong(key)
        properties = record["resource"]["properties"]
        serving = {
            "folder": str(await self._model_folder(properties["model"])),
            "environmentVariables": properties["environmentVariables"],
            "requestSettings": properties["requestSettings"],
            "readinessProbe": properties["readinessProbe"],
            "instanceType": properties["instanceType"],
            "capacity": record["resource"]["sku"]["capacity"],
        }
        await asyncio.sleep(PROVISIONING_SECONDS)
        await self._fleet.deploy(key, Container.of(serving))
        with self._store.transaction():
            self._announce(self._set_state(key, "Succeeded", serving))

    async def _go_wrong(self, key: str) -> None:
        """Fail, hang or be slow if that was asked for."""
        fault = self._faults.strike("deployment", key)
        if fault is None:
            return
        if fault.outcome == "fail":
            raise fault.error()
        await asyncio.sleep(HANG_SECONDS if fault.outcome == "hang" else fault.seconds)

    async def _model_folder(self, model: str) -> Path:
        if not self._assets.is_base_model(model):
            return Path(self._assets.local_path(model))
        while (folder := self._assets.base_model()) is None:
            await asyncio.sleep(BASE_MODEL_POLL_SECONDS)
        return folder

    def _begin_deletion(self, key: str, operation: str | None = None) -> str:
        async def delete() -> None:
            await self._delete(key)

        return self._begin(key, operation, delete)

    async def _delete(self, key: str) -> None:
        await self._fleet.remove(key)
        endpoint, _, name = key.partition("/")
        with self._store.transaction():
            self._store.delete(DEPLOYMENTS, key)
            resource = self._store.get("endpoints", endpoint)
            if resource is not None:
                forget(resource, name)
                self._store.put("endpoints", endpoint, resource)

    def _begin(self, key: str, operation: str | None, work: Work) -> str:
        operation = self._operations.begin(f"{DEPLOYMENTS}/{key}", work, operation)
        record = self._store.get(DEPLOYMENTS, key)
        if record is not None:
            url = self._operations.status_url(operation, API_VERSION)
            record["resource"]["properties"]["properties"][OPERATION] = url
            self._store.put(DEPLOYMENTS, key, record)
        return operation

    def _stored(self, key: str) -> Json:
        record = self._store.get(DEPLOYMENTS, key)
        if record is None:
            raise not_found("Deployment", key.rpartition("/")[2])
        return record

    def _set_state(self, key: str, state: str, serving: Json | None = None) -> Json:
        record = self._stored(key)
        resource: Json = record["resource"]
        resource["properties"]["provisioningState"] = state
        record["serving"] = serving or record["serving"]
        self._store.put(DEPLOYMENTS, key, record)
        return resource

    def _announce(self, resource: Json) -> None:
        endpoint = _key_of(resource).partition("/")[0]
        data = {
            "serviceName": endpoint,
            "serviceComputeType": "Managed",
            "modelIds": resource["properties"]["model"],
            "serviceTags": resource["tags"],
            "serviceProperties": {"deployment": resource["name"]},
        }
        self._outbox.add("ModelDeployed", f"endpoints/{endpoint}", data)

    def _endpoint(self, request: Request) -> Json:
        name = request.path_params["endpoint"]
        resource = self._store.get("endpoints", name)
        if resource is None:
            raise not_found("Endpoint", name)
        return resource

    def _record(self, request: Request) -> Json:
        endpoint = self._endpoint(request)["name"]
        return self._stored(f"{endpoint}/{request.path_params['deployment']}")

    def _check_endpoint(self, endpoint: Json, before: Json | None) -> None:
        state = endpoint["properties"]["provisioningState"]
        if state not in ("Succeeded", "Updating"):
            raise conflict(f"Endpoint '{endpoint['name']}' cannot be deployed to: it is {state}.")
        if before and before["resource"]["properties"]["provisioningState"] == "Deleting":
            raise conflict(f"Deployment '{before['resource']['name']}' is being deleted.")
        if before is None:
            self._check_room(endpoint["name"])

    def _check_room(self, endpoint: str) -> None:
        if len(self._store.list(DEPLOYMENTS, f"{endpoint}/")) >= MAX_PER_ENDPOINT:
            raise user_error(f"An endpoint has at most {MAX_PER_ENDPOINT} deployments.")
        if self._store.count(DEPLOYMENTS) >= self._limit:
            raise user_error(f"A subscription has at most {self._limit} deployments in a region.")


def _initializer_log(record: Json) -> str:
    """What the container that fetches the model has to say."""
    model = record["resource"]["properties"]["model"]
    lines = [f"Fetching model {model}"]
    if record["serving"]:
        lines.append(f"Model is in {record['serving']['folder']}")
    return "\n".join(lines)


def operation_name(resource: Json) -> str | None:
    """The name of the last operation on an endpoint or deployment."""
    url = resource["properties"]["properties"].get(OPERATION)
    return url.rpartition("/")[2].partition("?")[0] if url else None


def without_operation(properties: Mapping[str, str]) -> dict[str, str]:
    """A resource's own properties, without the one that the service adds."""
    return {key: value for key, value in properties.items() if key != OPERATION}


def scoring_log(site: Site, key: str) -> Path:
    """Where the scoring process of `ENDPOINT/DEPLOYMENT` writes."""
    return site.logs / "scoring" / f"{key}.log"


def _busy(name: str) -> ArmError:
    return conflict(f"Deployment '{name}' is busy: an operation on it is under way.")


def _key_of(resource: Json) -> str:
    parts = resource["id"].split("/")
    return f"{parts[-3]}/{parts[-1]}"


def _version(request: Request) -> str:
    return request.query_params.get("api-version", API_VERSION)

"""Compute clusters (AmlCompute)."""

import asyncio
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.allocation import Allocation
from localcloud.azureml.arm import ArmError, Json, not_found, page
from localcloud.azureml.bodies import read_json
from localcloud.azureml.cluster_resource import (
    check_cluster_name,
    cluster_resource,
    node_list,
    with_nodes,
)
from localcloud.azureml.faults import HANG_SECONDS, Faults
from localcloud.azureml.faults import Work as Faulty
from localcloud.azureml.operations import Operations, Work
from localcloud.azureml.quota import Quota
from localcloud.azureml.site import API_VERSION, Site
from localcloud.azureml.store import Store
from localcloud.manifest import Compute

KIND = "computes"
OPERATIONS = "compute-operations"
PROVISIONING_SECONDS = 1.0
BUSY = ("Creating", "Deleting")


class Computes:
    """The workspace's clusters: those of the manifest and those created since."""

    def __init__(
        self,
        site: Site,
        store: Store,
        operations: Operations,
        quota: Quota,
        faults: Faults,
    ) -> None:
        self._site = site
        self._store = store
        self._operations = operations
        self._quota = quota
        self._faults = faults

    def routes(self) -> list[Route]:
        """Routes below the workspace."""
        return [
            Route("/computes", self.list_computes),
            Route("/computes/{compute}", self.get_compute, methods=["GET"]),
            Route("/computes/{compute}", self.put_compute, methods=["PUT", "PATCH"]),
            Route("/computes/{compute}", self.delete_compute, methods=["DELETE"]),
            Route("/computes/{compute}/listNodes", self.list_nodes, methods=["POST"]),
        ]

    def start(self, declared: list[Compute]) -> None:
        """Create the declared clusters that are not there yet and finish what a restart cut."""
        for compute in declared:
            if self._store.get(KIND, compute.name) is None:
                scale = {"minNodeCount": compute.min_nodes, "maxNodeCount": compute.max_nodes}
                inner = {"vmSize": compute.size, "scaleSettings": scale}
                body = {"properties": {"properties": inner}}
                resource = cluster_resource(self._site, compute.name, body)
                self._store.put(KIND, compute.name, _with_state(resource, "Succeeded"))
        for resource in self._store.list(KIND):
            if resource["properties"]["provisioningState"] == "Creating":
                self._begin_create(resource["name"], self._operation_of(resource["name"]))
            elif resource["properties"]["provisioningState"] == "Deleting":
                self._begin_delete(resource["name"], self._operation_of(resource["name"]))

    def exists(self, name: str) -> bool:
        """Whether a job may ask for the cluster."""
        resource = self._store.get(KIND, name)
        return resource is not None and resource["properties"]["provisioningState"] == "Succeeded"

    async def list_computes(self, request: Request) -> Response:
        """All clusters."""
        allocations = self._quota.allocations()
        shown = [_shown(item, allocations) for item in self._store.list(KIND)]
        return page(request, shown, self._site.url)

    async def get_compute(self, request: Request) -> Response:
        """One cluster."""
        cluster = self._get(request.path_params["compute"])
        return JSONResponse(_shown(cluster, self._quota.allocations()))

    async def put_compute(self, request: Request) -> Response:
        """Create a cluster or change its scale settings."""
        name = check_cluster_name(request.path_params["compute"])
        body = await read_json(request)
        before = self._store.get(KIND, name)
        if before is not None and before["properties"]["provisioningState"] in BUSY:
            message = f"The compute '{name}' is {before['properties']['provisioningState']}."
            raise ArmError(409, "Conflict", message)
        resource = cluster_resource(self._site, name, body, before)
        if before is not None and before["properties"]["provisioningState"] == "Succeeded":
            if _least(resource) > _least(before):
                self._quota.check_cluster(resource)
            self._store.put(KIND, name, _with_state(resource, "Succeeded"))
            return JSONResponse(_shown(resource, self._quota.allocations()))
        self._store.put(KIND, name, _with_state(resource, "Creating"))
        operation = self._begin_create(name)
        headers = self._operations.headers(operation, _version(request), str(request.url))
        return JSONResponse(self._get(name), status_code=201, headers=headers)

    async def delete_compute(self, request: Request) -> Response:
        """Delete a cluster."""
        name = request.path_params["compute"]
        self._store.put(KIND, name, _with_state(self._get(name), "Deleting"))
        operation = self._begin_delete(name)
        headers = self._operations.headers(operation, _version(request))
        return Response(status_code=202, headers=headers)

    async def list_nodes(self, request: Request) -> Response:
        """The nodes of a cluster, with the job that each runs."""
        cluster = self._get(request.path_params["compute"])
        allocation = self._quota.allocations()[cluster["name"]]
        return JSONResponse({"nodes": node_list(self._site, cluster, allocation)})

    def _get(self, name: str) -> Json:
        resource = self._store.get(KIND, name)
        if resource is None:
            raise not_found("Compute", name)
        return resource

    def _begin_create(self, name: str, operation: str | None = None) -> str:
        async def create() -> None:
            await asyncio.sleep(PROVISIONING_SECONDS)
            try:
                await self._go_wrong("compute", name)
                self._quota.check_cluster(self._get(name))
            except ArmError as error:
                self._end_creation(name, "Failed", error)
                raise
            self._end_creation(name, "Succeeded")

        return self._begin(name, create, operation)

    async def _go_wrong(self, work: Faulty, name: str) -> None:
        """What was asked for to happen to the cluster as it is created or deleted."""
        fault = self._faults.strike(work, name)
        if fault is None:
            return
        if fault.outcome == "fail":
            raise fault.error()
        await asyncio.sleep(HANG_SECONDS if fault.outcome == "hang" else fault.seconds)

    def _end_creation(self, name: str, state: str, error: ArmError | None = None) -> None:
        resource = _with_state(self._get(name), state)
        problem = error and {"error": {"code": error.code, "message": error.message}}
        resource["properties"]["provisioningErrors"] = [problem] if problem else None
        self._store.put(KIND, name, resource)

    def _begin_delete(self, name: str, operation: str | None = None) -> str:
        async def delete() -> None:
            await asyncio.sleep(PROVISIONING_SECONDS)
            await self._go_wrong("compute-deletion", name)
            self._store.delete(KIND, name)

        return self._begin(name, delete, operation)

    def _begin(self, name: str, work: Work, operation: str | None) -> str:
        operation = self._operations.begin(f"{KIND}/{name}", work, operation)
        self._store.put(OPERATIONS, name, {"operation": operation})
        return operation

    def _operation_of(self, name: str) -> str | None:
        record = self._store.get(OPERATIONS, name)
        return record["operation"] if record else None


def _shown(resource: Json, allocations: Mapping[str, Allocation]) -> Json:
    """The cluster with its nodes; one that is being created has no word of them yet."""
    if resource["properties"]["provisioningState"] == "Creating":
        return resource
    return with_nodes(resource, allocations[resource["name"]])


def _least(resource: Json) -> int:
    return int(resource["properties"]["properties"]["scaleSettings"]["minNodeCount"])


def _with_state(resource: Json, state: str) -> Json:
    resource["properties"]["provisioningState"] = state
    return resource


def _version(request: Request) -> str:
    return request.query_params.get("api-version", API_VERSION)

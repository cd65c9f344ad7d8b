"""Compute clusters (AmlCompute)."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import (
    PROVIDER,
    ArmError,
    Json,
    check_name,
    not_found,
    page,
    timestamp,
    user_error,
)
from localcloud.azureml.bodies import read_json, section, text, whole_number
from localcloud.azureml.busy_nodes import nodes_on
from localcloud.azureml.faults import HANG_SECONDS, Faults
from localcloud.azureml.lifecycle import Lifecycle
from localcloud.azureml.operations import Operations, Work
from localcloud.azureml.site import API_VERSION, Site
from localcloud.azureml.store import Store
from localcloud.azureml.vm_sizes import SIZES, find_size
from localcloud.manifest import Compute

KIND = "computes"
OPERATIONS = "compute-operations"
PROVISIONING_SECONDS = 1.0
BUSY = ("Creating", "Deleting")
IDLE_NODES = ("preparing", "running", "idle", "unusable", "leaving", "preempted")


class Computes:
    """The workspace's clusters: those of the manifest and those created since."""

    def __init__(
        self,
        site: Site,
        store: Store,
        operations: Operations,
        lifecycle: Lifecycle,
        faults: Faults,
    ) -> None:
        self._site = site
        self._store = store
        self._operations = operations
        self._lifecycle = lifecycle
        self._faults = faults

    def routes(self) -> list[Route]:
        """Routes below the workspace."""
        return [
            Route("/computes", self.list_computes),
            Route("/computes/{compute}", self.get_compute, methods=["GET"]),
            Route("/computes/{compute}", self.put_compute, methods=["PUT", "PATCH"]),
            Route("/computes/{compute}", self.delete_compute, methods=["DELETE"]),
        ]

    def start(self, declared: list[Compute]) -> None:
        """Create the declared clusters that are not there yet and finish what a restart cut."""
        for compute in declared:
            if self._store.get(KIND, compute.name) is None:
                scale = {"minNodeCount": compute.min_nodes, "maxNodeCount": compute.max_nodes}
                inner = {"vmSize": compute.size, "scaleSettings": scale}
                resource = self._resource(compute.name, {"properties": {"properties": inner}})
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
        return page(request, [self._shown(item) for item in self._store.list(KIND)], self._site.url)

    async def get_compute(self, request: Request) -> Response:
        """One cluster."""
        return JSONResponse(self._shown(self._get(request.path_params["compute"])))

    async def put_compute(self, request: Request) -> Response:
        """Create a cluster or change its scale settings."""
        name = check_name("compute", request.path_params["compute"])
        body = await read_json(request)
        before = self._store.get(KIND, name)
        if before is not None and before["properties"]["provisioningState"] in BUSY:
            message = f"The compute '{name}' is {before['properties']['provisioningState']}."
            raise ArmError(409, "Conflict", message)
        resource = self._resource(name, body, before)
        if before is not None and before["properties"]["provisioningState"] == "Succeeded":
            self._store.put(KIND, name, _with_state(resource, "Succeeded"))
            return JSONResponse(self._get(name))
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

    def _get(self, name: str) -> Json:
        resource = self._store.get(KIND, name)
        if resource is None:
            raise not_found("Compute", name)
        return resource

    def _shown(self, resource: Json) -> Json:
        """The cluster with as many nodes as run jobs, between its least and its most."""
        cluster = resource["properties"]["properties"]
        scale = cluster["scaleSettings"]
        jobs = self._lifecycle.jobs()
        wanted = sum(nodes_on(resource["name"], job, self._lifecycle) for job in jobs)
        running = min(wanted, scale["maxNodeCount"])
        nodes = max(running, scale["minNodeCount"])
        counts = {"runningNodeCount": running, "idleNodeCount": nodes - running}
        cluster["currentNodeCount"] = cluster["targetNodeCount"] = nodes
        cluster["nodeStateCounts"] = cluster["nodeStateCounts"] | counts
        return resource

    def _begin_create(self, name: str, operation: str | None = None) -> str:
        async def create() -> None:
            await asyncio.sleep(PROVISIONING_SECONDS)
            fault = self._faults.strike("compute", name)
            if fault and fault.outcome != "fail":
                await asyncio.sleep(HANG_SECONDS if fault.outcome == "hang" else fault.seconds)
                fault = None
            resource = _with_state(self._get(name), "Failed" if fault else "Succeeded")
            problem = fault and {"error": {"code": fault.code, "message": fault.message}}
            resource["properties"]["provisioningErrors"] = [problem] if problem else None
            self._store.put(KIND, name, resource)
            if fault:
                raise fault.error()

        return self._begin(name, create, operation)

    def _begin_delete(self, name: str, operation: str | None = None) -> str:
        async def delete() -> None:
            await asyncio.sleep(PROVISIONING_SECONDS)
            self._store.delete(KIND, name)

        return self._begin(name, delete, operation)

    def _begin(self, name: str, work: Work, operation: str | None) -> str:
        operation = self._operations.begin(f"{KIND}/{name}", work, operation)
        self._store.put(OPERATIONS, name, {"operation": operation})
        return operation

    def _operation_of(self, name: str) -> str | None:
        record = self._store.get(OPERATIONS, name)
        return record["operation"] if record else None

    def _resource(self, name: str, body: Json, before: Json | None = None) -> Json:
        properties = section(body, "properties")
        if properties.get("computeType", "AmlCompute") != "AmlCompute":
            raise user_error("The local cloud has computes of type AmlCompute only.")
        current = before["properties"]["properties"] if before else {}
        cluster = current | section(properties, "properties")
        size = find_size(text(cluster, "vmSize"))
        if size is None:
            offered = ", ".join(size.name for size in SIZES)
            message = f"The size '{cluster['vmSize']}' is not known. Sizes: {offered}."
            raise user_error(message, target="vmSize")
        if size.name.upper() != current.get("vmSize", size.name.upper()):
            raise user_error(
                f"The size of compute '{name}' is {current['vmSize']} and can't be changed.",
                target="vmSize",
            )
        created = before["properties"]["createdOn"] if before else timestamp()
        return {
            "id": f"{self._site.workspace_path}/computes/{name}",
            "name": name,
            "type": f"{PROVIDER}/workspaces/computes",
            "location": self._site.connection.location,
            "tags": section(body, "tags"),
            "identity": body.get("identity"),
            "properties": {
                "createdOn": created,
                "modifiedOn": timestamp(),
                "disableLocalAuth": False,
                "description": properties.get("description"),
                "resourceId": None,
                "computeType": "AmlCompute",
                "computeLocation": self._site.connection.location,
                "provisioningErrors": None,
                "isAttachedCompute": False,
                "properties": {
                    "vmSize": size.name.upper(),
                    "vmPriority": cluster.get("vmPriority", "Dedicated"),
                    "scaleSettings": _scale_settings(cluster),
                    "currentNodeCount": 0,
                    "targetNodeCount": 0,
                    "nodeStateCounts": {f"{state}NodeCount": 0 for state in IDLE_NODES},
                    "allocationState": "Steady",
                    "errors": None,
                    "osType": "Linux",
                    "subnet": cluster.get("subnet"),
                    "userAccountCredentials": _without_password(cluster),
                    "isolatedNetwork": False,
                    "enableNodePublicIp": cluster.get("enableNodePublicIp", True),
                    "remoteLoginPortPublicAccess": cluster.get(
                        "remoteLoginPortPublicAccess", "NotSpecified"
                    ),
                    "virtualMachineImage": cluster.get("virtualMachineImage"),
                    "propertyBag": cluster.get("propertyBag"),
                },
            },
        }


def _scale_settings(cluster: Json) -> Json:
    scale = section(cluster, "scaleSettings")
    least = whole_number(scale, "minNodeCount", 0, 0, 1000)
    most = whole_number(scale, "maxNodeCount", 1, 1, 1000)
    if least > most:
        message = f"minNodeCount {least} is above maxNodeCount {most}."
        raise user_error(message, target="scaleSettings")
    idle = scale.get("nodeIdleTimeBeforeScaleDown", "PT120S")
    return {"minNodeCount": least, "maxNodeCount": most, "nodeIdleTimeBeforeScaleDown": idle}


def _without_password(cluster: Json) -> Json | None:
    """Who may log in, as the service shows it."""
    account = section(cluster, "userAccountCredentials")
    return {**account, "adminUserPassword": None} if account else None


def _with_state(resource: Json, state: str) -> Json:
    resource["properties"]["provisioningState"] = state
    return resource


def _version(request: Request) -> str:
    return request.query_params.get("api-version", API_VERSION)

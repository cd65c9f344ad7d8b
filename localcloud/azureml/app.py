"""Puts the workspace together: its parts, their routes, and what runs besides."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from localcloud.azureml import data_plane
from localcloud.azureml.activity import Activity, ActivityLog
from localcloud.azureml.arm import PROVIDER, ArmError
from localcloud.azureml.assets import Assets
from localcloud.azureml.auth import Authenticator
from localcloud.azureml.autoscale import Autoscale
from localcloud.azureml.codes import Codes
from localcloud.azureml.command_jobs import CommandJobs
from localcloud.azureml.components import Components
from localcloud.azureml.computes import Computes
from localcloud.azureml.containers import Containers
from localcloud.azureml.data_assets import DataAssets
from localcloud.azureml.datastores import Datastores
from localcloud.azureml.deployments import Deployments, scoring_log
from localcloud.azureml.endpoints import Endpoints
from localcloud.azureml.environments import Environments
from localcloud.azureml.event_subscriptions import EventSubscriptions
from localcloud.azureml.events import Outbox
from localcloud.azureml.faults import Faults, FaultyCalls
from localcloud.azureml.fleet import Fleet, Server
from localcloud.azureml.grants import Grants
from localcloud.azureml.http import (
    Guard,
    RequestIds,
    RequestLog,
    arm_error,
    http_error,
    server_error,
)
from localcloud.azureml.job_outputs import JobOutputs
from localcloud.azureml.jobs import Jobs
from localcloud.azureml.lifecycle import Lifecycle
from localcloud.azureml.mlflow_api import Mlflow
from localcloud.azureml.models import Models
from localcloud.azureml.monitor import Monitor
from localcloud.azureml.nodes import Nodes
from localcloud.azureml.operations import Operations
from localcloud.azureml.permissions import Permissions
from localcloud.azureml.pipeline_jobs import PipelineJobs
from localcloud.azureml.places import Places
from localcloud.azureml.quota import Quota
from localcloud.azureml.registry import Registry
from localcloud.azureml.resource_graph import ResourceGraph
from localcloud.azureml.run_history import RunHistory
from localcloud.azureml.runs import Runs
from localcloud.azureml.scored import Scored
from localcloud.azureml.scoring import Scoring
from localcloud.azureml.site import Site
from localcloud.azureml.spelling import Spelling
from localcloud.azureml.step_pipelines import StepPipelines
from localcloud.azureml.storage_door import StorageDoor
from localcloud.azureml.store import Store
from localcloud.azureml.submission import JobKind
from localcloud.azureml.work_orders import WorkOrders
from localcloud.azureml.workspace import Workspace
from localcloud.connection import Connection
from localcloud.identity import object_id
from localcloud.manifest import Manifest
from localcloud.simulated.server import SimulatedServer


class AzureMl:
    """The workspace's parts, wired to each other."""

    def __init__(self, connection: Connection, manifest: Manifest) -> None:
        self.site = site = Site(connection)
        self._manifest = manifest
        self._store = store = Store(site.folder / "workspace.sqlite")
        self._auth = Authenticator(connection)
        self._counts: Counter[str] = Counter()
        self._faults = Faults(store)
        self._activity = Activity(site, store)
        self._grants = Grants(store)
        identity = object_id(connection)
        self._permissions = Permissions(site, self._grants, identity)
        self._storage_door = StorageDoor(site, self._auth, self._grants, identity)
        self._event_subscriptions = EventSubscriptions(site)
        self._operations = Operations(site, store)
        self._outbox = Outbox(site, store)
        self._runs = Runs(store)
        server = SimulatedServer if manifest.simulated_compute else Server
        self._fleet = Fleet(lambda key: scoring_log(site, key), server)
        lifecycle = Lifecycle(site, store, self._runs, self._outbox)
        containers = Containers(site)
        places = Places(site, store)
        assets = Assets(site, store, lifecycle, containers, places)
        self._workspace = Workspace(site, store)
        self._registry = Registry(site, store)
        self._quota = Quota(site, store, lifecycle, manifest.quotas)
        self._computes = Computes(site, store, self._operations, self._quota, self._faults)
        self._codes = codes = Codes(site, store, containers)
        self._environments = environments = Environments(site, store)
        self._components = components = Components(site, store)
        steps = StepPipelines(site, components, codes, environments, assets, places)
        kinds: dict[str, JobKind] = {
            "Pipeline": PipelineJobs(self._computes, self._registry, steps),
            "Command": CommandJobs(self._computes, codes, environments, assets, places),
        }
        self._jobs = Jobs(site, lifecycle, self._operations, kinds)
        orders = WorkOrders(site, assets, places)
        self._nodes = Nodes(
            lifecycle, assets, orders, self._runs, self._faults, self._jobs.submitted
        )
        self._models = Models(site, store, assets, self._outbox)
        self._data = DataAssets(site, store, assets)
        self._datastores = Datastores(site, store, containers, self._auth)
        self._deployments = Deployments(
            site,
            store,
            self._operations,
            assets,
            self._fleet,
            self._outbox,
            self._quota,
            self._faults,
            manifest.limits.deployments,
        )
        self._endpoints = Endpoints(
            site,
            store,
            self._operations,
            self._deployments,
            self._auth,
            manifest.limits.endpoints,
        )
        self._graph = ResourceGraph(site, store, self._workspace, self._grants)
        self._scored = Scored(store)
        self._scoring = Scoring(
            store, self._fleet, self._auth, self._permissions, self._faults, self._scored
        )
        self._monitor = Monitor(site, store, self._scored, manifest.metrics_delay_seconds)
        self._autoscale = Autoscale(site, store, self._quota, self._scored)
        self._outputs = JobOutputs(site, lifecycle, places)
        self._history = RunHistory(site, lifecycle, self._runs, self._outputs, containers)
        self._mlflow = Mlflow(site, self._runs)

    def application(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[*self._public_routes(), *self._guarded_routes()],
            middleware=[
                Middleware(Spelling),
                Middleware(RequestLog, counts=self._counts),
                Middleware(RequestIds),
                Middleware(FaultyCalls, faults=self._faults),
            ],
            exception_handlers={
                ArmError: arm_error,
                HTTPException: http_error,
                Exception: server_error,
            },
            lifespan=self._lifespan,
        )

    def _public_routes(self) -> list[Route | Mount]:
        node = Middleware(Guard, check=self._auth.check_compute_node)
        return [
            *self._workspace.public_routes(),
            *self._scoring.routes(),
            *self._datastores.public_routes(),
            *self._storage_door.routes(),
            Route("/health", self._get_health),
            Route("/_admin/requests", self._get_counts),
            Mount(
                "/_admin",
                routes=[*self._faults.routes(), *self._permissions.admin_routes()],
                middleware=[node],
            ),
            Mount("/_compute", routes=self._nodes.routes(), middleware=[node]),
        ]

    def _guarded_routes(self) -> list[Mount]:
        caller = Middleware(Guard, check=self._auth.caller)
        tracked = Middleware(Guard, check=self._tracking_caller)
        arm = Middleware(Guard, check=self._arm_caller)
        workspace = self.site.workspace_path
        resources = [
            *self._computes.routes(),
            *self._jobs.routes(),
            *self._models.routes(),
            *self._data.routes(),
            *self._codes.routes(),
            *self._environments.routes(),
            *self._components.routes(),
            *self._datastores.routes(),
            *self._endpoints.routes(),
            *self._deployments.routes(),
            *self._monitor.routes(),
        ]
        mlflow = self._mlflow.routes()
        log = Middleware(
            ActivityLog, site=self.site, activity=self._activity, claims=self._auth.identify
        )
        top = [
            *self._workspace.routes(),
            *self._quota.routes(),
            *self._operations.routes(),
            *self._activity.routes(),
            *self._graph.routes(),
            *self._autoscale.routes(),
            *self._permissions.routes(),
            *self._event_subscriptions.routes(),
        ]
        discovery = Route("/{registry}/discovery", self._registry.discover)
        registry = Middleware(Guard, check=self._registry_caller)
        return [
            Mount("/registrymanagement/v1.0/registries", routes=[discovery], middleware=[registry]),
            Mount(self._registry.path, routes=self._registry.routes(), middleware=[arm]),
            Mount(f"/data/v1.0{workspace}", routes=self._outputs.routes(), middleware=[caller]),
            Mount(f"/history/v1.0{workspace}", routes=self._history.routes(), middleware=[tracked]),
            *(
                Mount(f"/mlflow/{version}{workspace}", routes=mlflow, middleware=[tracked])
                for version in ("v1.0", "v2.0")
            ),
            Mount("", routes=[*top, Mount(workspace, routes=resources)], middleware=[arm, log]),
        ]

    def _arm_caller(self, request: Request) -> str:
        if not request.query_params.get("api-version"):
            message = "The api-version query parameter (?api-version=) is required."
            raise ArmError(400, "MissingApiVersionParameter", message)
        caller = self._auth.caller(request)
        self._permissions.check(request, caller)
        return caller

    def _tracking_caller(self, request: Request) -> str:
        caller = self._auth.caller(request)
        self._permissions.check_action(*data_plane.action_of(request), caller)
        return caller

    def _registry_caller(self, request: Request) -> str:
        caller = self._auth.caller(request)
        path = self._registry.resource
        self._permissions.check_action(f"{PROVIDER}/registries/read", path, caller)
        return caller

    async def _get_health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _get_counts(self, request: Request) -> Response:
        return JSONResponse(dict(sorted(self._counts.items())))

    @contextlib.asynccontextmanager
    async def _lifespan(self, application: Starlette) -> AsyncIterator[None]:
        self._computes.start(self._manifest.computes)
        self._jobs.start()
        self._endpoints.start()
        self._deployments.start()
        loops = [
            asyncio.create_task(self._outbox.send_forever()),
            asyncio.create_task(self._scored.save_forever()),
            asyncio.create_task(self._autoscale.evaluate_forever()),
        ]
        try:
            yield
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await self._operations.close()
            await self._fleet.close()
            await self._scoring.close()
            self._scored.save()
            await self._datastores.close()
            await self._storage_door.close()
            self._store.close()

"""The workspace itself, the services found through it, and the cloud's metadata."""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import PROVIDER, Json, page, timestamp
from localcloud.azureml.site import PORTAL, Site
from localcloud.azureml.store import Store
from localcloud.azureml.vm_sizes import vm_sizes

KIND = "Default"
UNSET = (
    "encryption",
    "featureStoreSettings",
    "hubResourceId",
    "managedNetwork",
    "primaryUserAssignedIdentity",
    "serverlessComputeSettings",
)


class Workspace:
    """Answers for the workspace resource and what is offered at its location."""

    def __init__(self, site: Site, store: Store) -> None:
        self._site = site
        self._created = _created(store)

    def routes(self) -> list[Route]:
        """Routes below the subscription."""
        path = self._site.workspace_path
        group = path.rpartition("/")[0]
        locations = f"{self._site.subscription_path}/providers/{PROVIDER}/locations"
        return [
            Route(path, self.get_workspace),
            Route(group, self.list_workspaces),
            Route(
                f"{self._site.subscription_path}/providers/{PROVIDER}/workspaces",
                self.list_workspaces,
            ),
            Route(f"{locations}/{{location}}/vmSizes", self.list_vm_sizes),
        ]

    def public_routes(self) -> list[Route]:
        """Routes that need no token, as in Azure."""
        return [
            Route("/metadata/endpoints", self.get_metadata),
            Route("/discovery", self.get_discovery),
        ]

    async def get_workspace(self, request: Request) -> Response:
        """The workspace."""
        return JSONResponse(self.resource())

    async def list_workspaces(self, request: Request) -> Response:
        """The workspaces of the resource group or the subscription: this one, if it is wanted."""
        kinds = request.query_params.get("kind", KIND).lower().split(",")
        return page(request, [self.resource()] if KIND.lower() in kinds else [], self._site.url)

    async def list_vm_sizes(self, request: Request) -> Response:
        """The virtual machine sizes on offer."""
        return JSONResponse({"value": vm_sizes()})

    async def get_discovery(self, request: Request) -> Response:
        """The addresses of the workspace's data plane: all of them this server's."""
        services = ("api", "catalog", "experimentation", "gallery", "history", "modelmanagement")
        return JSONResponse(dict.fromkeys(services, self._site.url))

    async def get_metadata(self, request: Request) -> Response:
        """The cloud as Azure's `metadata/endpoints` describes clouds."""
        cloud = self._site.connection.cloud
        return JSONResponse(
            [
                {
                    "name": cloud.name,
                    "portal": PORTAL,
                    "resourceManager": cloud.metadata.resource_manager,
                    "authentication": {
                        "loginEndpoint": _without_port(cloud.metadata.active_directory),
                        "audiences": [cloud.metadata.resource_manager],
                        "tenant": "common",
                        "identityProvider": "AAD",
                    },
                    "graphAudience": cloud.metadata.active_directory,
                    "suffixes": {"storage": cloud.metadata.storage_endpoint},
                }
            ]
        )

    def resource(self) -> Json:
        """The workspace's ARM resource."""
        site, connection = self._site, self._site.connection
        return {
            "id": site.workspace_path,
            "name": connection.workspace,
            "type": f"{PROVIDER}/workspaces",
            "location": connection.location,
            "kind": KIND,
            "tags": {},
            "identity": {
                "type": "SystemAssigned",
                "principalId": site.guid("identity"),
                "tenantId": connection.tenant_id,
            },
            "sku": {"name": "Basic", "tier": "Basic"},
            "properties": self._properties(),
            "systemData": self._system_data(),
        }

    def _properties(self) -> Json:
        site, connection = self._site, self._site.connection
        return {
            "friendlyName": connection.workspace,
            "description": "",
            "workspaceId": site.workspace_id,
            "tenantId": connection.tenant_id,
            "provisioningState": "Succeeded",
            "storageAccount": self._sibling("Microsoft.Storage/storageAccounts", "account"),
            "keyVault": self._sibling("Microsoft.KeyVault/vaults", "vault"),
            "applicationInsights": self._sibling("Microsoft.Insights/components", "insights"),
            "containerRegistry": None,
            "imageBuildCompute": None,
            "hbiWorkspace": False,
            "v1LegacyMode": False,
            "storageHnsEnabled": False,
            "privateLinkCount": 0,
            "publicNetworkAccess": "Enabled",
            "discoveryUrl": f"{site.url}/discovery",
            "mlFlowTrackingUri": site.mlflow_uri,
            "enableDataIsolation": False,
            "provisionNetworkNow": False,
            "systemDatastoresAuthMode": "accesskey",
            "notebookInfo": self._notebooks(),
            **dict.fromkeys(UNSET),
        }

    def _notebooks(self) -> Json:
        site, location = self._site, self._site.connection.location
        host = f"ml-{site.connection.workspace}-{location}-{site.workspace_id}"
        problem = {"errorMessage": "The local cloud has no notebooks.", "statusCode": 501}
        return {
            "resourceId": site.guid("notebooks").replace("-", ""),
            "fqdn": f"{host}.{location}.notebooks.localhost",
            "isPrivateLinkEnabled": False,
            "notebookPreparationError": problem,
        }

    def _system_data(self) -> Json:
        who = self._site.guid("identity")
        return {
            "createdAt": self._created,
            "createdBy": who,
            "createdByType": "Application",
            "lastModifiedAt": self._created,
            "lastModifiedBy": who,
            "lastModifiedByType": "Application",
        }

    def _sibling(self, kind: str, name: str) -> str:
        if name == "account":
            name = self._site.connection.storage.account
        return f"{self._site.group_path}/providers/{kind}/{name}"


def _without_port(url: str) -> str:
    """The URL as an authority that azure-identity takes from azureml-mlflow.

    azureml-mlflow hands over the host alone, which azure-identity refuses with a port. Nothing
    ever connects there: tokens come from the managed identity endpoint.
    """
    return f"https://{urlsplit(url).hostname}/"


def _created(store: Store) -> str:
    record = store.get("workspace", "created")
    if record is None:
        record = {"at": timestamp()}
        store.put("workspace", "created", record)
    return str(record["at"])

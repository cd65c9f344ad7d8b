"""The registry: the foundation model and the fine-tuning pipeline's component."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import PROVIDER, Json, not_found, page, timestamp
from localcloud.azureml.pipeline import ComponentSpec, InputSpec, component_not_found
from localcloud.azureml.site import Site
from localcloud.azureml.store import Store
from localcloud.training.component import CHAT_COMPLETION_PIPELINE

COMPONENT = "chat_completion_pipeline"
BASE_MODEL, BASE_MODEL_VERSION = "Phi-3-mini-4k-instruct", "1"
TAGS = {
    "task": "chat-completion",
    "license": "mit",
    "author": "Local cloud",
    "stand_in": "A tiny Phi-3 trained on this machine; it stands in for Phi-3-mini-4k-instruct.",
    "finetune_compute_allow_list": (
        "['Standard_NC24ads_A100_v4', 'Standard_NC48ads_A100_v4', 'Standard_NC96ads_A100_v4',"
        " 'Standard_NC40ads_H100_v5', 'Standard_ND96asr_v4', 'Standard_ND96isr_H100_v5',"
        " 'Standard_NC24rs_v3']"
    ),
    "inference_compute_allow_list": (
        "['Standard_NC24ads_A100_v4', 'Standard_NC48ads_A100_v4', 'Standard_NC96ads_A100_v4',"
        " 'Standard_NC40ads_H100_v5', 'Standard_NC4as_T4_v3', 'Standard_DS3_v2',"
        " 'Standard_NC6s_v3']"
    ),
    "model_specific_defaults": "{'max_seq_length': 256}",
}


class Registry:
    """Answers registry discovery and the registry's models and components."""

    def __init__(self, site: Site, store: Store) -> None:
        self._site = site
        self._published = _published(store)
        self.spec = component_spec(CHAT_COMPLETION_PIPELINE)

    def routes(self) -> list[Route]:
        """Routes below `/mferp/managementfrontend/.../registries/NAME`."""
        return [
            Route("/models", self.list_models),
            Route("/models/{model}", self.get_model),
            Route("/models/{model}/versions", self.list_model_versions),
            Route("/models/{model}/versions/{version}", self.get_model_version),
            Route("/components", self.list_components),
            Route("/components/{component}/versions", self.list_component_versions),
            Route("/components/{component}/versions/{version}", self.get_component_version),
        ]

    @property
    def path(self) -> str:
        """Where the registry's own routes begin."""
        return f"/mferp/managementfrontend{self.resource}"

    @property
    def resource(self) -> str:
        """The registry's ARM id."""
        registry = self._site.connection.registry
        return f"{self._site.group_path}/providers/{PROVIDER}/registries/{registry}"

    def component(self, name: str, version: str, identifier: str) -> ComponentSpec:
        """The component with this name and version.

        Raises:
            ArmError: 404 when there is none.
        """
        if (name, version) != (COMPONENT, self.spec.version):
            raise component_not_found(identifier, name, version)
        return self.spec

    async def discover(self, request: Request) -> Response:
        """Where the registry is."""
        connection = self._site.connection
        if request.path_params["registry"] != connection.registry:
            raise not_found("Registry", request.path_params["registry"])
        return JSONResponse(
            {
                "registryId": self._site.guid("registry"),
                "registryName": connection.registry,
                "tenantId": connection.tenant_id,
                "primaryRegion": connection.location,
                "regions": [connection.location],
                "subscriptionId": connection.subscription_id,
                "resourceGroup": connection.resource_group,
                "workspaceName": None,
                "primaryRegionResourceProviderUri": f"{self._site.url}/",
                "registryFqdns": {connection.location: {"uri": self._site.url}},
            }
        )

    async def list_models(self, request: Request) -> Response:
        """All models, without their versions."""
        models = [self._container("models", BASE_MODEL, BASE_MODEL_VERSION)]
        return page(request, models, self._site.url)

    async def list_components(self, request: Request) -> Response:
        """All components, without their versions."""
        components = [self._container("components", COMPONENT, self.spec.version)]
        return page(request, components, self._site.url)

    async def get_model(self, request: Request) -> Response:
        """The container of a model's versions."""
        _check("Model", request.path_params["model"], BASE_MODEL)
        return JSONResponse(self._container("models", BASE_MODEL, BASE_MODEL_VERSION))

    async def list_model_versions(self, request: Request) -> Response:
        """The versions of a model."""
        _check("Model", request.path_params["model"], BASE_MODEL)
        return page(request, [self._model()], self._site.url)

    async def get_model_version(self, request: Request) -> Response:
        """One version of a model."""
        _check("Model", request.path_params["model"], BASE_MODEL)
        _check("Model version", request.path_params["version"], BASE_MODEL_VERSION)
        return JSONResponse(self._model())

    async def list_component_versions(self, request: Request) -> Response:
        """The versions of a component."""
        name = request.path_params["component"]
        if name != COMPONENT:
            raise component_not_found(name, name, "")
        return page(request, [self._component()], self._site.url)

    async def get_component_version(self, request: Request) -> Response:
        """One version of a component."""
        name, version = request.path_params["component"], request.path_params["version"]
        self.component(name, version, name)
        return JSONResponse(self._component())

    def _container(self, kind: str, name: str, latest: str) -> Json:
        """What has versions."""
        return {
            "id": f"{self._site.registry_uri}/{kind}/{name}",
            "name": name,
            "type": f"{PROVIDER}/registries/{kind}",
            "properties": {
                "description": None,
                "tags": {},
                "properties": {},
                "isArchived": False,
                "latestVersion": latest,
                "nextVersion": _next(latest),
            },
            "systemData": {"createdAt": self._published, "lastModifiedAt": self._published},
        }

    def _model(self) -> Json:
        uri = f"{self._site.registry_uri}/models/{BASE_MODEL}/versions/{BASE_MODEL_VERSION}"
        properties = {
            "description": TAGS["stand_in"],
            "tags": TAGS,
            "properties": {"languages": "en"},
            "isArchived": False,
            "isAnonymous": False,
            "flavors": {"python_function": {"data": {"loader_module": "mlflow.pyfunc.model"}}},
            "modelType": "mlflow_model",
            "modelUri": f"{uri}/files/mlflow_model_folder",
            "jobName": None,
            "stage": None,
            "provisioningState": "Succeeded",
        }
        return self._version(uri, "models", BASE_MODEL_VERSION, properties)

    def _component(self) -> Json:
        uri = f"{self._site.registry_uri}/components/{COMPONENT}/versions/{self.spec.version}"
        properties = {
            "description": CHAT_COMPLETION_PIPELINE["description"],
            "tags": {},
            "properties": {},
            "isArchived": False,
            "isAnonymous": False,
            "componentSpec": on_the_wire(CHAT_COMPLETION_PIPELINE),
            "provisioningState": "Succeeded",
        }
        return self._version(uri, "components", self.spec.version, properties)

    def _version(self, uri: str, kind: str, version: str, properties: Json) -> Json:
        return {
            "id": uri,
            "name": version,
            "type": f"{PROVIDER}/registries/{kind}/versions",
            "properties": properties,
            "systemData": {"createdAt": self._published, "lastModifiedAt": self._published},
        }


def component_spec(component: Mapping[str, Any]) -> ComponentSpec:
    """What of a component's description is needed to check a job."""
    inputs = {
        name: InputSpec(
            name,
            str(given["type"]),
            bool(given.get("optional", False)) or given.get("default") is not None,
            tuple(str(value) for value in given.get("enum", ())),
            given.get("min"),
            given.get("max"),
        )
        for name, given in component["inputs"].items()
    }
    return ComponentSpec(
        str(component["name"]), str(component["version"]), inputs, tuple(component["outputs"])
    )


def on_the_wire(value: Any) -> Any:
    """The service sends every scalar of a component's specification as a string."""
    if isinstance(value, Mapping):
        return {key: on_the_wire(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [on_the_wire(item) for item in value]
    return str(value)


def _next(version: str) -> str:
    """The version that would come after this one."""
    *before, last = version.split(".")
    return ".".join((*before, str(int(last) + 1)))


def _check(kind: str, name: str, known: str) -> None:
    if name != known:
        raise not_found(kind, name)


def _published(store: Store) -> str:
    record = store.get("registry", "published")
    if record is None:
        record = {"at": timestamp()}
        store.put("registry", "published", record)
    return str(record["at"])

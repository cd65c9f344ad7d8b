"""Models of the workspace and their versions."""

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import (
    PROVIDER,
    Json,
    check_name,
    listed,
    not_found,
    page,
    system_data,
    user_error,
)
from localcloud.azureml.assets import MODEL_VERSIONS, Assets
from localcloud.azureml.bodies import read_json, section, string_map, text
from localcloud.azureml.events import Outbox
from localcloud.azureml.site import Site
from localcloud.azureml.store import Store

CONTAINERS = "models"
TYPES = ("mlflow_model", "custom_model", "triton_model")


class Models:
    """The model routes."""

    def __init__(self, site: Site, store: Store, assets: Assets, outbox: Outbox) -> None:
        self._site = site
        self._store = store
        self._assets = assets
        self._outbox = outbox

    def routes(self) -> list[Route]:
        """Routes below the workspace."""
        return [
            Route("/models", self.list_models),
            Route("/models/{model}", self.get_model, methods=["GET"]),
            Route("/models/{model}", self.put_model, methods=["PUT"]),
            Route("/models/{model}/versions", self.list_versions),
            Route("/models/{model}/versions/{version}", self.get_version, methods=["GET"]),
            Route("/models/{model}/versions/{version}", self.put_version, methods=["PUT"]),
        ]

    async def list_models(self, request: Request) -> Response:
        """All models."""
        wanted = listed(request, _is_archived)
        found = [self._container(item["name"]) for item in self._store.list(CONTAINERS)]
        return page(request, [item for item in found if wanted(item)], self._site.url)

    async def get_model(self, request: Request) -> Response:
        """One model, without its versions."""
        return JSONResponse(self._container(request.path_params["model"]))

    async def put_model(self, request: Request) -> Response:
        """Change a model's description, tags or whether it is archived."""
        name = check_name("model", request.path_params["model"])
        properties = section(await read_json(request), "properties")
        existed = self._store.get(CONTAINERS, name) is not None
        self._keep_container(name, request.state.caller, properties)
        return JSONResponse(self._container(name), status_code=200 if existed else 201)

    async def list_versions(self, request: Request) -> Response:
        """The versions of a model, newest first; 404 only for a model that never was."""
        name = request.path_params["model"]
        if self._store.get(CONTAINERS, name) is None:
            raise not_found("Model", name)
        wanted = listed(request, _is_archived)
        found = [item for item in reversed(self._versions(name)) if wanted(item)]
        return page(request, found, self._site.url)

    async def get_version(self, request: Request) -> Response:
        """One version."""
        path = request.path_params
        return JSONResponse(self._assets.model(path["model"], path["version"]))

    async def put_version(self, request: Request) -> Response:
        """Register a version, or change the tags of one that is there."""
        name = check_name("model", request.path_params["model"])
        version = check_name("model version", request.path_params["version"])
        if not version.isdigit():
            raise user_error("A model's version must be a positive integer.", target="version")
        properties = section(await read_json(request), "properties")
        before = self._store.get(MODEL_VERSIONS, f"{name}/{version}")
        if before is not None:
            return JSONResponse(self._update(before, name, properties, request.state.caller))
        resource = self._resource(name, version, properties, request.state.caller)
        with self._store.transaction():
            if self._store.get(CONTAINERS, name) is None:
                self._keep_container(name, request.state.caller, {})
            self._store.put(MODEL_VERSIONS, f"{name}/{version}", resource)
            self._announce(name, version, resource["properties"])
        location = f"{self._site.url}{request.url.path}?{request.url.query}"
        return JSONResponse(resource, status_code=201, headers={"Location": location})

    def _update(self, resource: Json, name: str, properties: Json, caller: str) -> Json:
        current = resource["properties"]
        uri = properties.get("modelUri") or current["modelUri"]
        if uri != current["modelUri"] and self._assets.canonical(uri)[0] != current["modelUri"]:
            raise user_error(
                f"Model '{name}:{resource['name']}' is immutable: its path cannot be changed from "
                f"'{current['modelUri']}' to '{uri}'. Register a new version instead.",
                target="modelUri",
                inner={"code": "Immutable", "innerError": {"code": "AssetPathImmutable"}},
            )
        current["tags"] = string_map(properties, "tags")
        current["description"] = properties.get("description", current["description"])
        current["isArchived"] = bool(properties.get("isArchived", current["isArchived"]))
        current["properties"] |= string_map(properties, "properties")
        resource["systemData"] = system_data(caller, resource["systemData"])
        self._store.put(MODEL_VERSIONS, f"{name}/{resource['name']}", resource)
        return resource

    def _resource(self, name: str, version: str, properties: Json, caller: str) -> Json:
        kind = properties.get("modelType") or "custom_model"
        if kind not in TYPES:
            raise user_error(f"'{kind}' is not one of {', '.join(TYPES)}.", target="modelType")
        uri, job = self._assets.canonical(text(properties, "modelUri"))
        return {
            "id": f"{self._site.workspace_path}/models/{name}/versions/{version}",
            "name": version,
            "type": f"{PROVIDER}/workspaces/models/versions",
            "properties": {
                "description": properties.get("description"),
                "tags": string_map(properties, "tags"),
                "properties": string_map(properties, "properties"),
                "isArchived": bool(properties.get("isArchived", False)),
                "isAnonymous": bool(properties.get("isAnonymous", False)),
                "flavors": self._flavors(uri) if kind == "mlflow_model" else {},
                "modelType": kind,
                "modelUri": uri,
                "jobName": job,
                "provisioningState": "Succeeded",
            },
            "systemData": system_data(caller),
        }

    def _flavors(self, uri: str) -> Json:
        """The flavors that the folder's MLmodel file declares."""
        path = self._assets.local_path(uri)
        try:
            with open(f"{path}/MLmodel", encoding="utf-8") as file:
                flavors = yaml.safe_load(file)["flavors"]
        except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
            raise user_error(f"'{uri}' is no MLflow model: {error}", target="modelUri") from error
        return {
            name: {"data": {key: str(value) for key, value in (facts or {}).items()}}
            for name, facts in flavors.items()
        }

    def _announce(self, name: str, version: str, properties: Json) -> None:
        data = {
            "modelName": name,
            "modelVersion": version,
            "modelTags": properties["tags"],
            "modelProperties": properties["properties"],
        }
        self._outbox.add("ModelRegistered", f"models/{name}:{version}", data)

    def _versions(self, name: str) -> list[Json]:
        return self._store.list(MODEL_VERSIONS, f"{name}/")

    def _keep_container(self, name: str, caller: str, properties: Json) -> None:
        before = self._store.get(CONTAINERS, name) or {"systemData": None, "properties": {}}
        current = before["properties"] | {
            "description": properties.get("description", before["properties"].get("description")),
            "tags": string_map(properties, "tags"),
            "properties": string_map(properties, "properties"),
            "isArchived": bool(properties.get("isArchived", False)),
            "provisioningState": "Succeeded",
        }
        resource = {
            "id": f"{self._site.workspace_path}/models/{name}",
            "name": name,
            "type": f"{PROVIDER}/workspaces/models",
            "properties": current,
            "systemData": system_data(caller, before["systemData"]),
        }
        self._store.put(CONTAINERS, name, resource)

    def _container(self, name: str) -> Json:
        resource = self._store.get(CONTAINERS, name)
        if resource is None:
            raise not_found("Model", name)
        numbers = [int(item["name"]) for item in self._versions(name)]
        latest = max(numbers, default=0)
        resource["properties"] |= {
            "latestVersion": str(latest) if numbers else None,
            "nextVersion": str(latest + 1),
        }
        return resource


def _is_archived(item: Json) -> bool:
    return bool(item["properties"]["isArchived"])

"""What models and data assets have in common: a container by name, and versions in it."""

import re
from abc import ABC, abstractmethod
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import (
    PROVIDER,
    Json,
    check_name,
    not_found,
    page,
    system_data,
)
from localcloud.azureml.bodies import read_json, section, string_map
from localcloud.azureml.filters import (
    being,
    every,
    having,
    is_archived,
    listed,
    own_properties,
    own_tags,
)
from localcloud.azureml.site import Site
from localcloud.azureml.store import Store


class VersionedAssets(ABC):
    """The routes of one kind of asset. Subclasses say what is particular to theirs.

    `kind` is the word in the path, `title` the one in errors; containers are stored under `kind`,
    versions under `versions_kind`.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    versions_kind: ClassVar[str]

    def __init__(self, site: Site, store: Store) -> None:
        self._site = site
        self._store = store

    @abstractmethod
    def own_properties(self, properties: Json) -> Json:
        """The properties of a new version besides those that every asset has."""

    @abstractmethod
    def check_same(self, name: str, resource: Json, properties: Json) -> None:
        """Refuse a change of what never changes in a version."""

    def changed_properties(self, properties: Json) -> Json:
        """The properties that may change in a version besides those that may in every asset."""
        return {}

    def container_properties(self, properties: Json) -> Json:
        """What a new container has besides, from its first version or its own PUT."""
        return {}

    def check_version(self, version: str) -> None:  # noqa: B027 - most may have any
        """Refuse a version that this kind may not have."""

    async def prepare(self, properties: Json) -> None:  # noqa: B027
        """What has to be done before a version is looked at."""

    def announce(self, name: str, version: str, properties: Json) -> None:  # noqa: B027
        """Tell that a version was registered."""

    def find(self, identifier: str) -> Json:
        """The version with this ARM id; those of registries are not here.

        Raises:
            ArmError: 404 when there is none.
        """
        path = rf"(?:azureml:)?/subscriptions/.+/{self.kind}/([^/]+)/versions/([^/]+)"
        match = re.fullmatch(path, identifier)
        resource = match and self._store.get(self.versions_kind, f"{match[1]}/{match[2]}")
        if resource is None:
            raise not_found(self.title, identifier)
        return resource

    def routes(self) -> list[Route]:
        """Routes below the workspace."""
        container = f"/{self.kind}/{{name}}"
        version = f"{container}/versions/{{version}}"
        return [
            Route(f"/{self.kind}", self.list_containers),
            Route(container, self.get_container, methods=["GET"]),
            Route(container, self.put_container, methods=["PUT"]),
            Route(f"{container}/versions", self.list_versions),
            Route(version, self.get_version, methods=["GET"]),
            Route(version, self.put_version, methods=["PUT"]),
        ]

    async def list_containers(self, request: Request) -> Response:
        """All assets of this kind, without their versions."""
        wanted = listed(request, is_archived)
        found = [self._container(item["name"]) for item in self._store.list(self.kind)]
        return page(request, [item for item in found if wanted(item)], self._site.url)

    async def get_container(self, request: Request) -> Response:
        """One asset, without its versions."""
        return JSONResponse(self._container(request.path_params["name"]))

    async def put_container(self, request: Request) -> Response:
        """Change an asset's description, tags or whether it is archived."""
        name = check_name(self.title.lower(), request.path_params["name"])
        properties = section(await read_json(request), "properties")
        existed = self._store.get(self.kind, name) is not None
        self._keep_container(name, request.state.caller, properties)
        return JSONResponse(self._container(name), status_code=200 if existed else 201)

    async def list_versions(self, request: Request) -> Response:
        """The versions that are asked for, newest first; 404 only for an asset that never was."""
        name = request.path_params["name"]
        if self._store.get(self.kind, name) is None:
            raise not_found(self.title, name)
        wanted = every(
            listed(request, is_archived),
            having(request, "tags", own_tags),
            having(request, "$tags", own_tags),
            having(request, "properties", own_properties),
            being(request, "version", lambda item: item["name"]),
            being(request, "stage", lambda item: item["properties"].get("stage")),
        )
        found = [item for item in reversed(self._versions(name)) if wanted(item)]
        return page(request, found, self._site.url)

    async def get_version(self, request: Request) -> Response:
        """One version."""
        path = request.path_params
        resource = self._store.get(self.versions_kind, f"{path['name']}/{path['version']}")
        if resource is None:
            raise not_found(self.title, f"{path['name']}:{path['version']}")
        return JSONResponse(resource)

    async def put_version(self, request: Request) -> Response:
        """Register a version, or change the description and tags of one that is there."""
        name = check_name(self.title.lower(), request.path_params["name"])
        version = check_name(f"{self.title.lower()} version", request.path_params["version"])
        self.check_version(version)
        properties = section(await read_json(request), "properties")
        await self.prepare(properties)
        before = self._store.get(self.versions_kind, f"{name}/{version}")
        if before is not None:
            self.check_same(name, before, properties)
            return JSONResponse(self._update(before, name, properties, request.state.caller))
        resource = self._resource(name, version, properties, request.state.caller)
        with self._store.transaction():
            if self._store.get(self.kind, name) is None:
                self._keep_container(
                    name, request.state.caller, self.container_properties(properties)
                )
            self._store.put(self.versions_kind, f"{name}/{version}", resource)
            self.announce(name, version, resource["properties"])
        location = f"{self._site.url}{request.url.path}?{request.url.query}"
        return JSONResponse(resource, status_code=201, headers={"Location": location})

    def _update(self, resource: Json, name: str, properties: Json, caller: str) -> Json:
        current = resource["properties"]
        current["tags"] = string_map(properties, "tags")
        current["description"] = properties.get("description", current["description"])
        current["isArchived"] = bool(properties.get("isArchived", current["isArchived"]))
        current["properties"] |= string_map(properties, "properties")
        current |= self.changed_properties(properties)
        resource["systemData"] = system_data(caller, resource["systemData"])
        self._store.put(self.versions_kind, f"{name}/{resource['name']}", resource)
        return resource

    def _resource(self, name: str, version: str, properties: Json, caller: str) -> Json:
        return {
            "id": f"{self._site.workspace_path}/{self.kind}/{name}/versions/{version}",
            "name": version,
            "type": f"{PROVIDER}/workspaces/{self.kind}/versions",
            "properties": {
                "description": properties.get("description"),
                "tags": string_map(properties, "tags"),
                "properties": string_map(properties, "properties"),
                "isArchived": bool(properties.get("isArchived", False)),
                "isAnonymous": bool(properties.get("isAnonymous", False)),
                **self.own_properties(properties),
                "provisioningState": "Succeeded",
            },
            "systemData": system_data(caller),
        }

    def _versions(self, name: str) -> list[Json]:
        """Oldest first."""
        return self._store.list(self.versions_kind, f"{name}/")

    def _keep_container(self, name: str, caller: str, properties: Json) -> None:
        fresh: Json = {"systemData": None, "properties": self.container_properties(properties)}
        before: Json = self._store.get(self.kind, name) or fresh
        current = before["properties"] | {
            "description": properties.get("description", before["properties"].get("description")),
            "tags": string_map(properties, "tags"),
            "properties": string_map(properties, "properties"),
            "isArchived": bool(properties.get("isArchived", False)),
            "provisioningState": "Succeeded",
        }
        resource = {
            "id": f"{self._site.workspace_path}/{self.kind}/{name}",
            "name": name,
            "type": f"{PROVIDER}/workspaces/{self.kind}",
            "properties": current,
            "systemData": system_data(caller, before["systemData"]),
        }
        self._store.put(self.kind, name, resource)

    def _container(self, name: str) -> Json:
        resource = self._store.get(self.kind, name)
        if resource is None:
            raise not_found(self.title, name)
        versions = [item["name"] for item in self._versions(name)]
        numbers = [int(version) for version in versions if version.isdigit()]
        resource["properties"] |= {
            "latestVersion": versions[-1] if versions else None,
            "nextVersion": str(max(numbers, default=0) + 1),
        }
        return resource

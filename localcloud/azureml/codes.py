"""Code assets of the workspace: folders that the SDK uploads for jobs to run."""

import uuid

from azure.core.exceptions import AzureError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import ArmError, Json, page, user_error
from localcloud.azureml.bodies import section, text
from localcloud.azureml.containers import Containers
from localcloud.azureml.site import CODE_CONTAINER, Site
from localcloud.azureml.store import Store
from localcloud.azureml.versioned import VersionedAssets


class Codes(VersionedAssets):
    """The code routes. As in Azure, each upload gets a container of its own."""

    kind, title, versions_kind = "codes", "Code", "code-versions"

    def __init__(self, site: Site, store: Store, containers: Containers) -> None:
        super().__init__(site, store)
        self._containers = containers

    def routes(self) -> list[Route]:
        """Routes below the workspace."""
        upload = "/codes/{name}/versions/{version}/startPendingUpload"
        return [Route(upload, self.start_upload, methods=["POST"]), *super().routes()]

    async def start_upload(self, request: Request) -> Response:
        """A new container for the code, and a signature that opens it for an hour."""
        container = f"{CODE_CONTAINER}{uuid.uuid4()}"
        try:
            token = await run_in_threadpool(self._containers.signature, container, writable=True)
        except AzureError as error:
            message = f"The storage account does not answer: {type(error).__name__}"
            raise ArmError(503, "ServiceUnavailable", message) from error
        address = f"{self._site.account_url}/{container}"
        return JSONResponse(
            {
                "pendingUploadId": str(uuid.uuid4()),
                "pendingUploadType": "TemporaryBlobReference",
                "blobReferenceForConsumption": {
                    "blobUri": address,
                    "storageAccountArmId": self._site.storage_path,
                    "credential": {"credentialType": "SAS", "sasUri": f"{address}?{token}"},
                },
            }
        )

    async def list_versions(self, request: Request) -> Response:
        """With `hash`, the code of any name that has it: the SDK asks before it uploads."""
        wanted = request.query_params.get("hash")
        if wanted is None:
            return await super().list_versions(request)
        found = [
            item
            for item in self._store.list(self.versions_kind)
            if item["properties"]["properties"].get("hash_sha256") == wanted
        ]
        return page(request, found, self._site.url)

    async def prepare(self, properties: Json) -> None:
        """The SDK sends the version of its hash as a number, which Azure makes a string."""
        given = section(properties, "properties")
        properties["properties"] = {
            key: str(value) if isinstance(value, int) else value for key, value in given.items()
        }

    def check_same(self, name: str, resource: Json, properties: Json) -> None:
        """A version's path never changes.

        Raises:
            ArmError: 400 when `properties` have another one.
        """
        current = resource["properties"]["codeUri"]
        if (properties.get("codeUri") or current) != current:
            raise user_error("Asset paths cannot be updated.", target="codeUri")

    def own_properties(self, properties: Json) -> Json:
        """What a code asset has besides what every asset has."""
        uri = text(properties, "codeUri")
        if not uri.startswith(f"{self._site.account_url}/{CODE_CONTAINER}"):
            raise user_error(f"'{uri}' is no place for code.", target="codeUri")
        return {"codeUri": uri}

    def url(self, identifier: str) -> str:
        """Where the storage account has the code with this ARM id.

        Raises:
            ArmError: 404 when there is none.
        """
        path = str(self.find(identifier)["properties"]["codeUri"]).removeprefix(
            f"{self._site.account_url}/"
        )
        return self._site.blob_url(path)

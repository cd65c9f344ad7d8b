"""The storage containers behind the datastores: signatures for them, and what lies in them."""

import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

from localcloud.azureml.site import Site

SIGNED_HOURS = 1


class Containers:
    """Blocking calls of the storage account: run them in a thread. All raise AzureError."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def signature(self, container: str, *, writable: bool) -> str:
        """A shared access signature for the container, which is made when it is not there."""
        storage = self._site.connection.storage
        with self._service() as service:
            with suppress(ResourceExistsError):
                service.create_container(container)
            return generate_container_sas(
                storage.account,
                container,
                account_key=service.credential.account_key,
                permission=ContainerSasPermissions(
                    read=True, list=True, add=writable, create=writable, write=writable
                ),
                expiry=datetime.now(UTC) + timedelta(hours=SIGNED_HOURS),
            )

    def files(self, container: str, folder: str) -> dict[str, str]:
        """The addresses that open the blobs below a folder, by their paths in it."""
        with self._service() as service, service.get_container_client(container) as blobs:
            if not blobs.exists():
                return {}
            names = list(blobs.list_blob_names(name_starts_with=folder))
        token = self.signature(container, writable=False)
        address = f"{self._site.account_url}/{container}"
        return {name.removeprefix(folder): f"{address}/{quote(name)}?{token}" for name in names}

    def fetch(self, container: str, folder: str, target: Path) -> None:
        """Bring what lies below a folder to a local one, which appears when it is complete."""
        with self._service() as service, service.get_container_client(container) as blobs:
            names = list(blobs.list_blob_names(name_starts_with=f"{folder}/"))
            with tempfile.TemporaryDirectory(dir=self._site.folder) as draft:
                for name in names:
                    file = Path(draft, "files", name.removeprefix(f"{folder}/"))
                    file.parent.mkdir(parents=True, exist_ok=True)
                    with file.open("wb") as content:
                        blobs.download_blob(name).readinto(content)
                if names:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    Path(draft, "files").rename(target)

    def _service(self) -> BlobServiceClient:
        text = self._site.connection.storage.connection_string
        return BlobServiceClient.from_connection_string(text, retry_total=0)

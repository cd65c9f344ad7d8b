"""Where an asset's files are: from Azure ML's URIs and ids to local paths."""

import asyncio
import re
from contextlib import suppress
from pathlib import Path

from azure.core.exceptions import AzureError

from localcloud.azureml.arm import Json, not_found, user_error
from localcloud.azureml.containers import Containers
from localcloud.azureml.lifecycle import Lifecycle
from localcloud.azureml.places import Place, Places, output_place
from localcloud.azureml.registry import BASE_MODEL, BASE_MODEL_VERSION
from localcloud.azureml.site import DATASTORE, Site
from localcloud.azureml.store import Store

MODEL_VERSIONS, DATA_VERSIONS = "model-versions", "data-versions"

_JOB_OUTPUT = re.compile(r"azureml://jobs/(?P<job>[^/]+)/outputs/(?P<output>[^/]+)(?:/paths/?)?/?")
_MODEL = re.compile(
    r"(?:azureml:)?/subscriptions/.+/models/(?P<name>[^/]+)/versions/(?P<version>[^/]+)"
)
_SHORT = re.compile(r"azureml:(?P<name>[^:/]+):(?P<version>[^:/]+)")
_DATA = re.compile(
    r"(?:azureml:)?/subscriptions/.+/data/(?P<name>[^/]+)/versions/(?P<version>[^/]+)"
)
_REGISTRY_MODEL = re.compile(
    r"azureml://registries/(?P<registry>[^/]+)/models/(?P<name>[^/]+)/versions/(?P<version>[^/]+)"
)


class Assets:
    """Resolves references to models, job outputs and datastore paths."""

    def __init__(
        self,
        site: Site,
        store: Store,
        lifecycle: Lifecycle,
        containers: Containers,
        places: Places,
    ) -> None:
        self._site = site
        self._places = places
        self._store = store
        self._lifecycle = lifecycle
        self._containers = containers

    async def fetch_uploaded(self, uri: str) -> None:
        """Bring what a caller uploaded to the datastore here, unless it is here or nowhere."""
        place = self._places.find(uri)
        if place is None or not place.is_own:
            return
        target = self._site.datastore_folder(place.path)
        if not target.exists():
            with suppress(AzureError):
                container = self._site.datastore_container
                await asyncio.to_thread(self._containers.fetch, container, place.path, target)

    def canonical(self, uri: str) -> tuple[str, str | None]:
        """A model's path as the service keeps it, and the job it came from, if any.

        Raises:
            ArmError: 400 when the URI leads nowhere.
        """
        match = _JOB_OUTPUT.fullmatch(uri)
        if match is not None:
            made = self._job_output(match["job"], match["output"])
            return f"{self._places.uri(made)}/", match["job"]
        place = self._places.find(uri)
        if place is None or not place.is_own:
            raise user_error(
                f"'{uri}' is not a path of a model. Use azureml://jobs/JOB/outputs/OUTPUT or "
                f"azureml://datastores/{DATASTORE}/paths/PATH.",
                target="modelUri",
            )
        if not self._site.datastore_folder(place.path).exists():
            raise user_error(f"'{uri}' does not exist.", target="modelUri")
        return self._places.uri(place) + ("/" if uri.endswith("/") else ""), None

    def data_uri(self, uri: str) -> str:
        """A data asset's path as the service keeps it; whether it is there shows when it is used.

        Raises:
            ArmError: 400 when it is no path that a job could read.
        """
        if uri.startswith(("http://", "https://")):
            return uri
        place = self._places.find(uri)
        if place is None:
            raise user_error(
                f"'{uri}' is not a path of data. Use the URL of a blob or "
                f"azureml://datastores/{DATASTORE}/paths/PATH.",
                target="dataUri",
            )
        return self._places.uri(place) + ("/" if uri.endswith("/") else "")

    def local_path(self, uri: str) -> str:
        """What the compute node or a scoring process can open.

        A local path where this server has one, otherwise the URL of what callers uploaded; the
        base model's id and `http` URLs stay as they are, for the node knows them.

        Raises:
            ArmError: 400 or 404 when the reference leads nowhere.
        """
        uri = self._path_of_asset(uri)
        if uri.startswith(("http://", "https://")) or self.is_base_model(uri):
            return uri
        match = _JOB_OUTPUT.fullmatch(uri)
        if match is not None:
            place: Place | None = self._job_output(match["job"], match["output"])
        else:
            place = self._places.find(uri)
        if place is None:
            raise user_error(f"'{uri}' is not a reference that the local cloud can resolve.")
        found = self._site.datastore_folder(place.path)
        return str(found) if place.is_own and found.exists() else self._places.url(place)

    def check(self, uri: str) -> None:
        """Refuse a reference that can lead nowhere; whether it does shows when it is used.

        Raises:
            ArmError: 400 or 404 for it.
        """
        uri = self._path_of_asset(uri)
        if uri.startswith(("http://", "https://")) or self.is_base_model(uri):
            return
        if _JOB_OUTPUT.fullmatch(uri) is None and self._places.find(uri) is None:
            raise user_error(f"'{uri}' is not a reference that the local cloud can resolve.")

    def is_base_model(self, uri: str) -> bool:
        """Whether this is the registry's foundation model.

        Raises:
            ArmError: 404 for another model of a registry.
        """
        match = _REGISTRY_MODEL.fullmatch(uri)
        if match is None:
            return False
        known = (self._site.connection.registry, BASE_MODEL, BASE_MODEL_VERSION)
        if match.groups() != known:
            raise not_found("Model", uri)
        return True

    def base_model(self) -> Path | None:
        """The folder of the foundation model, None until the compute node has trained it."""
        record = self._store.get("registry", "base-model")
        return Path(record["path"]) if record else None

    def publish_base_model(self, folder: Path) -> None:
        """Remember where the foundation model is."""
        self._store.put("registry", "base-model", {"path": str(folder)})

    def model(self, name: str, version: str) -> Json:
        """The version of a workspace model.

        Raises:
            ArmError: 404 when there is none.
        """
        resource = self._store.get(MODEL_VERSIONS, f"{name}/{version}")
        if resource is None:
            raise not_found("Model", f"{name}:{version}")
        return resource

    def _path_of_asset(self, uri: str) -> str:
        """The path behind a model's or a data asset's id; other references as they are."""
        match = _DATA.fullmatch(uri)
        if match is not None:
            return str(self._data(match["name"], match["version"])["properties"]["dataUri"])
        match = _MODEL.fullmatch(uri)
        if match is not None:
            return str(self.model(match["name"], match["version"])["properties"]["modelUri"])
        match = _SHORT.fullmatch(uri)
        if match is None:
            return uri
        key = f"{match['name']}/{match['version']}"
        if self._store.get(DATA_VERSIONS, key):
            return str(self._data(match["name"], match["version"])["properties"]["dataUri"])
        return str(self.model(match["name"], match["version"])["properties"]["modelUri"])

    def _data(self, name: str, version: str) -> Json:
        resource = self._store.get(DATA_VERSIONS, f"{name}/{version}")
        if resource is None:
            raise not_found("Data asset", f"{name}:{version}")
        return resource

    def _job_output(self, job: str, output: str) -> Place:
        record = self._lifecycle.job(job)
        if record is None:
            raise user_error(f"Job '{job}' does not exist.")
        place = output_place(record, output)
        if place is None:
            raise user_error(f"Job '{job}' has no output '{output}'.")
        status = record["resource"]["properties"]["status"]
        if status != "Completed":
            raise user_error(f"Output '{output}' of job '{job}' is not there: it is {status}.")
        return place

"""Where things are: paths in the workspace's datastores, and the containers behind these."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from localcloud.azureml.arm import Json, user_error
from localcloud.azureml.site import DATASTORE, Site
from localcloud.azureml.store import Store

DATASTORES = "datastores"

_URI = re.compile(
    r"azureml://(?:subscriptions/[^/]+/resource[gG]roups/[^/]+/workspaces/[^/]+/)?"
    r"datastores/(?P<datastore>[^/]+)/paths/(?P<path>.+)"
)


@dataclass(frozen=True)
class Place:
    """A path in a datastore, without a slash at its ends."""

    datastore: str
    path: str

    @property
    def is_own(self) -> bool:
        """Whether it is in the workspace's own datastore, whose files this server has as well."""
        return self.datastore == DATASTORE


class Places:
    """Finds the place behind a URI, and what the place is called elsewhere."""

    def __init__(self, site: Site, store: Store) -> None:
        self._site = site
        self._store = store

    def find(self, uri: str) -> Place | None:
        """The place that a datastore's URI names; None for any other URI.

        Raises:
            ArmError: 400 when there is no such datastore or its path leads out of it.
        """
        match = _URI.fullmatch(uri)
        if match is None:
            return None
        datastore, path = match["datastore"], PurePosixPath(match["path"])
        if self.container(datastore) is None or path.is_absolute() or ".." in path.parts:
            message = f"The workspace has no path '{match['path']}' in a datastore '{datastore}'."
            raise user_error(message)
        return Place(datastore, str(path))

    def container(self, datastore: str) -> str | None:
        """The container behind a datastore, None when there is no such datastore."""
        if datastore in self._site.containers:
            return self._site.containers[datastore]
        record = self._store.get(DATASTORES, datastore)
        return str(record["properties"]["containerName"]) if record else None

    def uri(self, place: Place) -> str:
        """How the service writes the place."""
        return self._site.datastore_uri(place.path, place.datastore)

    def url(self, place: Place) -> str:
        """The blob, or the folder of blobs, that is there."""
        container = self.container(place.datastore) or ""
        return self._site.blob_url(f"{container}/{place.path}")


def job_output_path(job: str) -> str:
    """Where in the workspace's own datastore a job's outputs are, unless it says otherwise."""
    return f"azureml/{job}"


def step_output_place(record: Json, step: Json, output: str, run: str) -> Place:
    """Where a step of a job, whose run has this id, puts one of its outputs."""
    kept = step["outputs"][output]
    if kept["job_output"]:
        place = output_place(record, kept["job_output"])
        assert place is not None
        return place
    given = kept["place"]
    if given:
        return Place(given["datastore"], given["path"])
    return Place(DATASTORE, f"{job_output_path(run)}/{output}")


def output_place(record: Json, output: str) -> Place | None:
    """Where a job puts one of its outputs; None when it has no such output."""
    work = record["work"]
    folder = work["outputs"].get(output)
    if folder is None:
        return None
    own = Place(DATASTORE, f"{job_output_path(record['resource']['name'])}/{folder}")
    given = work.get("places", {}).get(output)
    return Place(given["datastore"], given["path"]) if given else own

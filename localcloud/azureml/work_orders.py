"""What the compute node is told of a job that it gets."""

from localcloud.azureml.arm import Json
from localcloud.azureml.assets import Assets
from localcloud.azureml.places import Places, job_output_path, output_place, step_output_place
from localcloud.azureml.site import ARTIFACT_CONTAINER, Site


class WorkOrders:
    """Writes them: every URI becomes a path or a URL that the node can open."""

    def __init__(self, site: Site, assets: Assets, places: Places) -> None:
        self._site = site
        self._assets = assets
        self._places = places

    def write(self, record: Json) -> Json:
        """The order for a job.

        Raises:
            ArmError: 400 or 404 when one of its inputs leads nowhere.
        """
        work = record["work"]
        kind = record["resource"]["properties"]["jobType"]
        common = {
            "name": record["resource"]["name"],
            "kind": kind,
            "literals": work["literals"],
            "assets": {key: self._assets.local_path(uri) for key, uri in work["assets"].items()},
            "log_container": ARTIFACT_CONTAINER,
        }
        if kind == "Command":
            return common | self._command(record)
        return common | (self._steps(record) if "steps" in work else self._pipeline(record))

    def _pipeline(self, record: Json) -> Json:
        path = job_output_path(record["resource"]["name"])
        return {
            "output_dir": str(self._site.datastore_folder(path)),
            "outputs": {
                "container": self._site.datastore_container,
                "path": path,
                "folders": sorted(set(record["work"]["outputs"].values())),
            },
        }

    def _steps(self, record: Json) -> Json:
        return {
            "kind": "Steps",
            "steps": [self._step(record, step) for step in record["work"]["steps"]],
            "work_dir": str(self._site.folder / "work"),
        }

    def _step(self, record: Json, step: Json) -> Json:
        run = self._site.step_run(record["resource"]["name"], step["name"])
        return step | {
            "assets": {key: self._assets.local_path(uri) for key, uri in step["assets"].items()},
            "outputs": {key: self._step_output(record, step, key, run) for key in step["outputs"]},
        }

    def _step_output(self, record: Json, step: Json, output: str, run: str) -> Json:
        kept = step["outputs"][output]
        if kept["job_output"]:
            return self._output(record, kept["job_output"])
        place = step_output_place(record, step, output, run)
        container = self._places.container(place.datastore)
        return {"type": kept["type"], "container": container, "path": place.path, "folder": None}

    def _command(self, record: Json) -> Json:
        work = record["work"]
        return {
            "command": work["command"],
            "code": work["code"],
            "variables": work["variables"],
            "seconds": work["seconds"],
            "work_dir": str(self._site.folder / "work"),
            "outputs": {key: self._output(record, key) for key in work["outputs"]},
        }

    def _output(self, record: Json, output: str) -> Json:
        """An output; one without a place of its own is kept in the workspace's folder as well."""
        place = output_place(record, output)
        assert place is not None
        has_own = output in record["work"]["places"]
        return {
            "type": record["work"]["types"][output],
            "container": self._places.container(place.datastore),
            "path": place.path,
            "folder": None if has_own else str(self._site.datastore_folder(place.path)),
        }

"""A job's outputs as assets: how the SDK finds what `jobs.download` is to fetch."""

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import Json, user_error
from localcloud.azureml.bodies import read_json
from localcloud.azureml.lifecycle import Lifecycle
from localcloud.azureml.places import Place, Places, output_place, step_output_place
from localcloud.azureml.site import Site

MAX_ASSETS = 1000
_ASSET = re.compile(r".*/data/azureml_(?P<run>.+)_output_(?P<output>\w+)/versions/1")


class JobOutputs:
    """Names the assets that jobs made, and resolves the names.

    All are of type `uri_folder`, models as well: for `MLFlowModel` the SDK reads an attribute of
    the answer that its own class hides (azure-ai-ml 1.35, `get_job_output_uris_from_dataplane`).
    """

    def __init__(self, site: Site, lifecycle: Lifecycle, places: Places) -> None:
        self._site = site
        self._places = places
        self._lifecycle = lifecycle

    def routes(self) -> list[Route]:
        """Routes below `/data/v1.0/WORKSPACE`."""
        return [Route("/dataversion/batchGetResolvedUris", self.resolve, methods=["POST"])]

    def of(self, run: str) -> Json:
        """The assets of a completed job or step by the names of its outputs."""
        location, workspace = self._site.connection.location, self._site.workspace_id
        place = f"azureml://locations/{location}/workspaces/{workspace}/data"
        return {
            output: {
                "assetId": f"{place}/azureml_{run}_output_{output}/versions/1",
                "type": "uri_folder",
            }
            for output in self._outputs(run)
        }

    async def resolve(self, request: Request) -> Response:
        """Where some assets are."""
        wanted = (await read_json(request)).get("values")
        if not isinstance(wanted, list) or len(wanted) > MAX_ASSETS:
            raise user_error(f"'values' must be a list of at most {MAX_ASSETS}.", target="values")
        found = {str(asset): self._place(str(asset)) for asset in wanted}
        return JSONResponse({"values": {key: value for key, value in found.items() if value}})

    def _place(self, asset: str) -> Json | None:
        match = _ASSET.fullmatch(asset)
        found = self._outputs(match["run"]).get(match["output"]) if match else None
        if found is None:
            return None
        place, kind = found
        if kind == "uri_file":
            return {"uri": self._places.uri(place), "type": "uri_file"}
        return {"uri": f"{self._places.uri(place)}/", "type": "uri_folder"}

    def _outputs(self, run: str) -> dict[str, tuple[Place, str | None]]:
        """The place and the type of each output of a job or a step that has completed."""
        record = self._lifecycle.job(run)
        if record is not None:
            completed = record["resource"]["properties"]["status"] == "Completed"
            return _of_job(record) if completed else {}
        begun = self._lifecycle.step(run)
        job = self._lifecycle.job(begun["job"]) if begun else None
        return _of_step(begun, job) if begun and job and begun["status"] == "Completed" else {}


def _of_job(record: Json) -> dict[str, tuple[Place, str | None]]:
    types = record["work"].get("types", {})
    places = {key: output_place(record, key) for key in record["work"]["outputs"]}
    return {key: (place, types.get(key)) for key, place in places.items() if place}


def _of_step(begun: Json, job: Json) -> dict[str, tuple[Place, str | None]]:
    """The steps of a registry's component keep nothing of their own."""
    found = [step for step in job["work"].get("steps", ()) if step["name"] == begun["step"]]
    return {
        key: (step_output_place(job, step, key, begun["name"]), output["type"])
        for step in found
        for key, output in step["outputs"].items()
    }

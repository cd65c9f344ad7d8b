"""A job's outputs as assets: how the SDK finds what `jobs.download` is to fetch."""

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azureml.arm import Json, user_error
from localcloud.azureml.bodies import read_json
from localcloud.azureml.lifecycle import Lifecycle
from localcloud.azureml.places import Places, output_place
from localcloud.azureml.site import Site

MAX_ASSETS = 1000
_ASSET = re.compile(r".*/data/azureml_(?P<job>.+)_output_(?P<output>\w+)/versions/1")


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

    def of(self, job: str) -> Json:
        """The assets of a completed job by the names of its outputs; none of any other run."""
        record = self._lifecycle.job(job)
        if record is None or record["resource"]["properties"]["status"] != "Completed":
            return {}
        location, workspace = self._site.connection.location, self._site.workspace_id
        place = f"azureml://locations/{location}/workspaces/{workspace}/data"
        return {
            output: {
                "assetId": f"{place}/azureml_{job}_output_{output}/versions/1",
                "type": "uri_folder",
            }
            for output in record["work"]["outputs"]
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
        record = self._lifecycle.job(match["job"]) if match else None
        place = output_place(record, match["output"]) if match and record else None
        if match is None or record is None or place is None:
            return None
        if record["work"].get("types", {}).get(match["output"]) == "uri_file":
            return {"uri": self._places.uri(place), "type": "uri_file"}
        return {"uri": f"{self._places.uri(place)}/", "type": "uri_folder"}

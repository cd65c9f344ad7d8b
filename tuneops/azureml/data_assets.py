"""Data assets: the prepared files under their digest, so that lineage begins with the data."""

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from tuneops import names
from tuneops.azureml.errors import azure_errors
from tuneops.azureml.workspace import Workspace
from tuneops.release import Release


def register(workspace: Workspace, release: Release, part: str, url: str) -> str:
    """Register one part of the release's data, unless it is there; gives the asset's id.

    The version is the digest: equal data is one version. Rows that were never prepared before have
    none, unless this was done just now or what was prepared was deleted; so nobody is asked first.

    Raises:
        RefusedError: the workspace does not accept it.
        UnavailableError: the workspace can't be asked now.
    """
    from azure.ai.ml.constants import AssetTypes
    from azure.ai.ml.entities import Data
    from azure.ai.ml.exceptions import AssetPathException

    if release.data is None:
        raise ValueError("the data is not prepared yet")
    name, version = f"{names.asset_name(release.project)}-{part}", release.data.digest
    asset = Data(
        name=name,
        version=version,
        type=AssetTypes.URI_FILE,
        path=url,
        description=f"{release.data.parts[part]} rows of {release.source.name}",
        tags=release.tags,
    )
    with azure_errors(f"registering data {name}:{version}"):
        if not release.new_rows and (known := _known(workspace, name, version)):
            return known
        try:
            return str(workspace.ml.data.create_or_update(asset).id)
        except (AssetPathException, HttpResponseError):
            if known := _known(workspace, name, version):
                return known
            raise


def _known(workspace: Workspace, name: str, version: str) -> str | None:
    """The id of an asset that is there; None where there is none."""
    try:
        return str(workspace.ml.data.get(name, version=version).id)
    except ResourceNotFoundError:
        return None

"""Area `registry`: base models and components that configs name."""

from collections.abc import Iterator

from tuneops.azureml import registry
from tuneops.azureml.errors import RefusedError, UnavailableError
from tuneops.azureml.workspace import Workspace
from tuneops.doctor.finding import Finding, skipped
from tuneops.doctor.judging import registry as judging
from tuneops.doctor.judging.registry import Asset
from tuneops.doctor.patient import Patient


def look(patient: Patient, workspace: Workspace, environment: str) -> Iterator[Finding]:
    """Each that a config of the environment names."""
    assets = judging.assets_of(patient.wanted(environment))
    if not assets:
        for check in ("registry.model", "registry.component"):
            yield skipped(check, "there is no config yet", workspace.id)
    for asset, wanted in assets.items():
        yield judging.judge(asset, _error(workspace, asset), wanted)


def _error(workspace: Workspace, asset: Asset) -> str:
    """Why it can't be had, empty if it can."""
    find = registry.base_model if asset.kind == "model" else registry.component
    try:
        find(workspace, asset.registry, asset.name, asset.version)
    except (RefusedError, UnavailableError) as error:
        return str(error)
    return ""

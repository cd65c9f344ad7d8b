"""Looking up what a training job starts from: foundation model and pipeline component."""

from dataclasses import dataclass
from typing import Any

from tuneops.azureml.errors import azure_errors
from tuneops.azureml.workspace import Workspace


@dataclass(frozen=True)
class BaseModel:
    """A foundation model of a registry, at one version."""

    id: str
    tags: dict[str, str]


def base_model(workspace: Workspace, registry: str, name: str, version: str) -> BaseModel:
    """The foundation model; `version` may be ``latest``.

    Raises:
        RefusedError: the registry has no such model.
        UnavailableError: the registry can't be asked now.
    """
    with azure_errors(f"model {name} in registry {registry}"):
        found = workspace.registry(registry).models.get(name, **_at(version))
    return BaseModel(id=str(found.id), tags=dict(found.tags or {}))


def component_id(workspace: Workspace, registry: str, name: str, version: str) -> str:
    """The id of the pipeline component; `version` may be ``latest``.

    Raises:
        RefusedError: the registry has no such component.
        UnavailableError: the registry can't be asked now.
    """
    with azure_errors(f"component {name} in registry {registry}"):
        return str(workspace.registry(registry).components.get(name, **_at(version)).id)


def component(workspace: Workspace, component_id: str) -> Any:
    """The component with this id (``azureml://registries/R/components/N/versions/V``), to call.

    Raises:
        RefusedError: the registry does not have it any more.
        UnavailableError: the registry can't be asked now.
    """
    _, _, _, registry, _, name, _, version = component_id.split("/")
    with azure_errors(f"component {name} in registry {registry}"):
        return workspace.registry(registry).components.get(name, version=version)


def _at(version: str) -> dict[str, str]:
    return {"label": "latest"} if version == "latest" else {"version": version}

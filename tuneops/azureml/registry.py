"""Looking up what a training job starts from: foundation model and pipeline component."""

from dataclasses import dataclass
from typing import Any

from tuneops.azureml.errors import azure_errors
from tuneops.azureml.workspace import Workspace
from tuneops.component import InputSpec


@dataclass(frozen=True)
class BaseModel:
    """A foundation model of a registry, at one version."""

    id: str
    tags: dict[str, str]


@dataclass(frozen=True)
class Component:
    """A pipeline component at one version: `call` it in a pipeline."""

    id: str
    inputs: dict[str, InputSpec]
    call: Any


def base_model(workspace: Workspace, registry: str, name: str, version: str) -> BaseModel:
    """The foundation model; `version` may be ``latest``.

    Raises:
        RefusedError: the registry has no such model.
        UnavailableError: the registry can't be asked now.
    """
    with azure_errors(f"model {name} in registry {registry}"):
        found = workspace.registry(registry).models.get(name, **_at(version))
    return BaseModel(id=str(found.id), tags=dict(found.tags or {}))


def component(workspace: Workspace, registry: str, name: str, version: str) -> Component:
    """The pipeline component; `version` may be ``latest``.

    Raises:
        RefusedError: the registry has no such component.
        UnavailableError: the registry can't be asked now.
    """
    with azure_errors(f"component {name} in registry {registry}"):
        found = workspace.registry(registry).components.get(name, **_at(version))
    specs = {key: _spec(value) for key, value in found.inputs.items()}
    return Component(id=str(found.id), inputs=specs, call=found)


def component_of(workspace: Workspace, component_id: str) -> Component:
    """The component with this id (``azureml://registries/R/components/N/versions/V``).

    Raises:
        RefusedError: the registry does not have it any more.
        UnavailableError: the registry can't be asked now.
    """
    _, _, _, registry, _, name, _, version = component_id.split("/")
    return component(workspace, registry, name, version)


def _spec(value: Any) -> InputSpec:
    return InputSpec(
        choices=tuple(map(str, value.enum or ())), minimum=value.min, maximum=value.max
    )


def _at(version: str) -> dict[str, str]:
    return {"label": "latest"} if version == "latest" else {"version": version}

"""Looking up what a training job starts from: foundation model and pipeline component."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Any

from tuneops.azureml.errors import RefusedError, UnavailableError, azure_errors
from tuneops.azureml.workspace import Workspace
from tuneops.component import InputSpec

MAX_LOOKED_AT = 5000
MAX_NAMED = 5


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
        RefusedError: the registry has no such model; the message names what is near.
        UnavailableError: the registry can't be asked now.
    """
    asked = f"model {name} in registry {registry}"
    try:
        with azure_errors(asked):
            found = workspace.registry(registry).models.get(name, **_at(version))
    except RefusedError as error:
        raise RefusedError(f"{error}; {_near(workspace, registry, name)}") from error
    return BaseModel(id=str(found.id), tags=dict(found.tags or {}))


def _near(workspace: Workspace, registry: str, name: str) -> str:
    """What to name instead of a model, or of a version of it, that is not there."""
    models = workspace.registry(registry).models
    try:
        with azure_errors(f"models of registry {registry}"):
            names = {str(model.name) for model in islice(models.list(), MAX_LOOKED_AT)}
            if name in names:
                versions = islice(models.list(name=name), MAX_NAMED)
                return f"model.version: there is {_listed(model.version for model in versions)}"
    except (RefusedError, UnavailableError):
        names = set()
    by_lower = {each.lower(): each for each in sorted(names)}
    if near := get_close_matches(name.lower(), by_lower, n=MAX_NAMED):
        return f"model.name: did you mean {_listed(by_lower[each] for each in near)}"
    return f"model.name: az ml model list --registry-name {registry} shows them"


def _listed(names: Iterable[object]) -> str:
    return ", ".join(map(str, names))


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

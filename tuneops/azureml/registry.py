"""Looking up what a training job starts from: foundation model and pipeline component."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Any

from azure.core.exceptions import ResourceNotFoundError

from tuneops.azureml.errors import RefusedError, UnavailableError, azure_errors
from tuneops.azureml.workspace import Workspace
from tuneops.component import InputSpec

MAX_LOOKED_AT = 5000
MAX_NAMED = 5
MAX_KEPT = 32
_FIELDS = {
    "model": ("model.name", "model.version"),
    "component": ("training.component", "training.component_version"),
}
"""Where a config has the name and the version."""


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
    found = _look_up(workspace, "model", registry, name, version)
    return BaseModel(id=str(found.id), tags=dict(found.tags or {}))


def component(workspace: Workspace, registry: str, name: str, version: str) -> Component:
    """The pipeline component; `version` may be ``latest``.

    Raises:
        RefusedError: the registry has no such component; the message names what is near.
        UnavailableError: the registry can't be asked now.
    """
    found = _look_up(workspace, "component", registry, name, version)
    specs = {key: _spec(value) for key, value in found.inputs.items()}
    made = Component(id=str(found.id), inputs=specs, call=found)
    if len(workspace.components) >= MAX_KEPT:
        workspace.components.clear()
    workspace.components[made.id] = made
    return made


def component_of(workspace: Workspace, component_id: str) -> Component:
    """The component with this id (``azureml://registries/R/components/N/versions/V``).

    One that was looked up before is not looked up again.

    Raises:
        RefusedError: the registry does not have it any more.
        UnavailableError: the registry can't be asked now.
    """
    known: Component | None = workspace.components.get(component_id)
    _, _, _, registry, _, name, _, version = component_id.split("/")
    return known or component(workspace, registry, name, version)


def _look_up(workspace: Workspace, kind: str, registry: str, name: str, version: str) -> Any:
    asked = f"{kind} {name} in registry {registry}"
    with azure_errors(asked):
        try:
            assets = getattr(workspace.registry(registry), f"{kind}s")
        except ResourceNotFoundError as error:
            raise RefusedError(
                f"model.registry: there is no registry {registry}; Microsoft's own is azureml"
            ) from error
    try:
        with azure_errors(asked):
            return assets.get(name, **_at(version))
    except RefusedError as error:
        near = _near(assets, kind, registry, name)
        raise RefusedError(f"{str(error).rstrip('.')}; {near}") from error


def _near(assets: Any, kind: str, registry: str, name: str) -> str:
    """What to name instead of a model or component, or of a version, that is not there."""
    name_field, version_field = _FIELDS[kind]
    try:
        with azure_errors(f"{kind}s of registry {registry}"):
            names = {str(each.name) for each in islice(assets.list(), MAX_LOOKED_AT)}
            if name in names:
                versions = islice(assets.list(name=name), MAX_NAMED)
                return f"{version_field}: there is {_listed(each.version for each in versions)}"
    except (RefusedError, UnavailableError):
        names = set()
    by_lower = {each.lower(): each for each in sorted(names)}
    if near := get_close_matches(name.lower(), by_lower, n=MAX_NAMED):
        return f"{name_field}: did you mean {_listed(by_lower[each] for each in near)}"
    return f"{name_field}: az ml {kind} list --registry-name {registry} shows them"


def _listed(names: Iterable[object]) -> str:
    return ", ".join(map(str, names))


def _spec(value: Any) -> InputSpec:
    return InputSpec(
        choices=tuple(map(str, value.enum or ())), minimum=value.min, maximum=value.max
    )


def _at(version: str) -> dict[str, str]:
    return {"label": "latest"} if version == "latest" else {"version": version}

"""Reading a submitted pipeline job: its one step, and that step's inputs against the component."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from localcloud.azureml.arm import ArmError, Json, user_error
from localcloud.azureml.bodies import section, text

ASSET_TYPES = ("uri_file", "uri_folder", "mltable", "mlflow_model", "custom_model")
SERVERLESS = "serverless"
REGISTRIES = "azureml://registries/"

_BINDING = re.compile(r"\s*\$\{\{\s*parent\.(?P<kind>inputs|outputs)\.(?P<name>\w+)\s*\}\}\s*")
_COMPONENT = re.compile(
    r"azureml://registries/(?P<registry>[^/]+)/components/(?P<name>[^/]+)/versions/(?P<version>[^/]+)"
)

Value = str | int | float | bool


@dataclass(frozen=True)
class InputSpec:
    """What a component says of one input; `minimum` and `maximum` apply to numbers."""

    name: str
    type: str
    optional: bool
    enum: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class ComponentSpec:
    """A component's interface."""

    name: str
    version: str
    inputs: Mapping[str, InputSpec]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """The step of a pipeline.

    `literals` are converted to the component's types, `assets` are URIs, and `outputs` says
    which output of the component each output of the job is.
    """

    name: str
    literals: Mapping[str, Value]
    assets: Mapping[str, str]
    outputs: Mapping[str, str]


def is_registry_pipeline(properties: Json) -> bool:
    """Whether a step of the pipeline has the component of a registry."""
    jobs = section(properties, "jobs")
    return any(str(section(jobs, name).get("componentId")).startswith(REGISTRIES) for name in jobs)


def component_reference(properties: Json) -> tuple[str, Json, str, str]:
    """The step's name and body, and its component's name and version.

    Raises:
        ArmError: 400 unless the pipeline is of one step with a registry's component.
    """
    jobs = section(properties, "jobs")
    if len(jobs) != 1:
        message = "The local cloud runs the component of a registry as a pipeline's only step."
        raise user_error(message, target="jobs")
    name = next(iter(jobs))
    step = section(jobs, name)
    identifier = text(step, "componentId")
    match = _COMPONENT.fullmatch(identifier)
    if match is None:
        raise _component_not_found(identifier, identifier, "")
    return name, step, match["name"], match["version"]


def read_step(name: str, step: Json, properties: Json, component: ComponentSpec) -> Step:
    """The step with its inputs bound, converted and checked.

    Raises:
        ArmError: 400 for an input that is unknown, missing or out of bounds.
    """
    parents = section(properties, "inputs")
    given = section(step, "inputs")
    unknown = sorted(set(given) - set(component.inputs))
    if unknown:
        raise user_error(
            f"Step '{name}' has inputs that component '{component.name}' does not: "
            f"{', '.join(unknown)}.",
            target=f"jobs.{name}.inputs",
        )
    literals: dict[str, Value] = {}
    assets: dict[str, str] = {}
    for key in given:
        value = _bound(key, section(given, key), parents)
        spec = component.inputs[key]
        if spec.type in ASSET_TYPES:
            assets[key] = _asset(spec, value)
        else:
            literals[key] = literal(spec, value)
    missing = [
        key for key, spec in component.inputs.items() if not spec.optional and key not in given
    ]
    if missing:
        raise user_error(
            f"Step '{name}' lacks required inputs: {', '.join(missing)}.",
            target=f"jobs.{name}.inputs",
        )
    return Step(name, literals, assets, _outputs(name, step, properties, component))


def component_not_found(identifier: str, name: str, version: str) -> ArmError:
    """404, worded as by the service."""
    return _component_not_found(identifier, name, version)


def compute_name(identifier: object) -> str | None:
    """The cluster that a `computeId` names; None for serverless compute."""
    if identifier is None or identifier == SERVERLESS:
        return None
    name = str(identifier).rpartition("/")[2]
    return None if name == SERVERLESS else name.removeprefix("azureml:")


def _component_not_found(identifier: str, name: str, version: str) -> ArmError:
    message = f"key: {identifier}, Message: Not found component {name} (version: {version})."
    return ArmError(404, "NotFound", message)


def _bound(key: str, value: Json, parents: Json) -> Json:
    match = _BINDING.fullmatch(str(value.get("value", "")))
    if match is None:
        return value
    if match["kind"] != "inputs" or match["name"] not in parents:
        raise user_error(
            f"Input '{key}' is bound to '{value['value']}', which the job does not have.",
            target=f"inputs.{key}",
        )
    return section(parents, match["name"])


def _asset(spec: InputSpec, value: Json) -> str:
    uri = value.get("uri") or value.get("value")
    if not isinstance(uri, str) or not uri:
        raise user_error(f"Input '{spec.name}' needs the URI of a {spec.type}.", target=spec.name)
    return uri


def literal(spec: InputSpec, value: Json) -> Value:
    """The value of a literal input, converted to the input's type.

    Raises:
        ArmError: 400 when it is missing, of another type or out of bounds.
    """
    raw = value.get("value")
    if raw is None:
        raise user_error(f"Input '{spec.name}' of type {spec.type} has no value.", target=spec.name)
    converted = _convert(spec, raw)
    if spec.enum and str(converted) not in spec.enum:
        raise user_error(
            f"Input '{spec.name}' is '{converted}', but must be one of {', '.join(spec.enum)}.",
            target=spec.name,
        )
    if isinstance(converted, int | float):
        too_small = spec.minimum is not None and converted < spec.minimum
        too_large = spec.maximum is not None and converted > spec.maximum
        if too_small or too_large:
            bounds = f"{spec.minimum if spec.minimum is not None else ''}"
            raise user_error(
                f"Input '{spec.name}' is {converted}, outside of {bounds}..{spec.maximum or ''}.",
                target=spec.name,
            )
    return converted


def _convert(spec: InputSpec, raw: object) -> Value:
    try:
        if spec.type == "integer":
            return int(str(raw))
        if spec.type == "number":
            return _finite(float(str(raw)))
    except ValueError as error:
        message = f"Input '{spec.name}' is '{raw}', which is no {spec.type}."
        raise user_error(message, target=spec.name) from error
    if spec.type == "boolean":
        return str(raw).lower() == "true"
    return str(raw)


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def _outputs(name: str, step: Json, properties: Json, component: ComponentSpec) -> dict[str, str]:
    declared = section(properties, "outputs")
    outputs: dict[str, str] = {}
    for key, value in section(step, "outputs").items():
        if key not in component.outputs:
            message = f"Component '{component.name}' has no output '{key}'."
            raise user_error(message, target=f"jobs.{name}.outputs.{key}")
        reference = value.get("value", "") if isinstance(value, dict) else value
        match = _BINDING.fullmatch(str(reference))
        if match is not None and match["kind"] == "outputs":
            outputs[match["name"]] = key
    unbound = sorted(set(declared) - set(outputs))
    if unbound:
        message = f"No step produces the job's outputs {', '.join(unbound)}."
        raise user_error(message, target="outputs")
    return outputs

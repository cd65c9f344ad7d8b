"""What the steps of a pipeline are given, and by whom: values, files, or another step's output."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from localcloud.azureml.arm import Json, user_error
from localcloud.azureml.assets import Assets
from localcloud.azureml.bodies import section
from localcloud.azureml.job_ports import named
from localcloud.azureml.pipeline import ASSET_TYPES, InputSpec, literal

MODES = ("ReadOnlyMount", "Download")

_BINDING = re.compile(
    r"\s*\$\{\{\s*parent\.(?:inputs\.(?P<input>\w+)"
    r"|jobs\.(?P<step>\w+)\.outputs\.(?P<output>\w+))\s*\}\}\s*"
)


@dataclass(frozen=True)
class StepInputs:
    """The inputs of one step: plain values, URIs, and outputs of other steps (step and output)."""

    literals: Mapping[str, str]
    assets: Mapping[str, str]
    outputs: Mapping[str, tuple[str, str]]


class InputReader:
    """Reads the inputs of a pipeline's steps.

    Args:
        inputs: the job's own inputs.
        ports: the outputs of each step's component.
    """

    def __init__(
        self, assets: Assets, inputs: Mapping[str, Json], ports: Mapping[str, Mapping[str, Json]]
    ) -> None:
        self._assets = assets
        self._inputs = inputs
        self._ports = ports

    def read(self, step: str, body: Json, component: Json) -> StepInputs:
        """The inputs of a step, checked against its component's.

        Raises:
            ArmError: 400 or 404 for one that is unknown, missing or bound to nothing.
        """
        given, specs = named(body, "inputs"), _specs(component)
        if unknown := sorted(set(given) - set(specs)):
            message = f"Step '{step}' has inputs that its component does not: {', '.join(unknown)}."
            raise user_error(message, target=f"jobs.{step}.inputs")
        literals: dict[str, str] = {}
        assets: dict[str, str] = {}
        outputs: dict[str, tuple[str, str]] = {}
        for key, spec in specs.items():
            if key not in given:
                literals |= _default(step, component, spec)
                continue
            target = f"jobs.{step}.inputs.{key}"
            value, source = self._source(given[key], target)
            for bearer in (given[key], value):
                _check_mode(bearer, target)
            if spec.type not in ASSET_TYPES:
                literals[key] = _text(spec, value, target)
            elif source is not None:
                outputs[key] = source
            else:
                assets[key] = self._uri(spec, value, target)
        return StepInputs(literals, assets, outputs)

    def _source(self, value: Json, target: str) -> tuple[Json, tuple[str, str] | None]:
        """What an input is bound to: an input of the job, or the output of a step."""
        reference = str(value.get("value", ""))
        if "${{" not in reference:
            return value, None
        match = _BINDING.fullmatch(reference)
        if match and match["input"] in self._inputs:
            return self._inputs[match["input"]], None
        if match and match["output"] in self._ports.get(match["step"], {}):
            return {}, (match["step"], match["output"])
        message = f"'{target}' is bound to '{reference}', which the job does not have."
        raise user_error(message, target=target)

    def _uri(self, spec: InputSpec, value: Json, target: str) -> str:
        uri = value.get("uri")
        if not isinstance(uri, str) or not uri:
            raise user_error(f"'{target}' needs the URI of a {spec.type}.", target=target)
        self._assets.check(uri)
        return uri


def _check_mode(value: Json, target: str) -> None:
    if value.get("mode") not in (None, *MODES):
        message = f"'{target}': the local cloud has the modes {' and '.join(MODES)} only."
        raise user_error(message, target=target)


def _specs(component: Json) -> dict[str, InputSpec]:
    """What a component says of its inputs; every scalar in it is a string."""
    inputs = section(component, "inputs")
    return {
        key: InputSpec(
            key,
            str(inputs[key].get("type")),
            inputs[key].get("optional") == "True",
            tuple(inputs[key].get("enum", ())),
            _number(inputs[key].get("min")),
            _number(inputs[key].get("max")),
        )
        for key in inputs
    }


def _default(step: str, component: Json, spec: InputSpec) -> dict[str, str]:
    """The value of an input that is not given, none for an optional one."""
    default = component["inputs"][spec.name].get("default")
    if default is not None:
        return {spec.name: str(default)}
    if not spec.optional:
        message = f"Step '{step}' lacks the required input '{spec.name}'."
        raise user_error(message, target=f"jobs.{step}.inputs")
    return {}


def _text(spec: InputSpec, value: Json, target: str) -> str:
    if "uri" in value or "value" not in value:
        raise user_error(f"'{target}' needs a value of type {spec.type}.", target=target)
    return str(literal(spec, value))


def _number(raw: object) -> float | None:
    try:
        return None if raw is None else float(str(raw))
    except ValueError as error:
        raise user_error(f"'{raw}' is no bound for an input.", target="inputs") from error

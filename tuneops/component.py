"""The live component's interface, and whether a job's inputs fit it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from tuneops.parameters import Origin, Parameter, Value


class UnfitInputError(ValueError):
    """An input is none of the component's, or has a value that it does not take."""


@dataclass(frozen=True)
class InputSpec:
    """What the component says of one input; `minimum` and `maximum` belong to numbers."""

    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


def fit(
    parameters: Mapping[str, Parameter], specs: Mapping[str, InputSpec], component: str
) -> dict[str, Parameter]:
    """The parameters that the component has inputs for.

    What only a default or the base model asked for is left out where this version of the component
    does not know it.

    Raises:
        UnfitInputError: with the name of the first input that the config gives in vain.
    """
    fitting: dict[str, Parameter] = {}
    for name, parameter in parameters.items():
        spec = specs.get(name)
        if spec is None:
            if parameter.origin in (Origin.DEFAULT, Origin.MODEL):
                continue
            raise UnfitInputError(
                f"{_field(name, parameter)}: {component} has no such input; leave it out, or set "
                "training.component_version to a version that has it"
            )
        problem = _problem(parameter.value, spec)
        if problem:
            raise UnfitInputError(f"{_field(name, parameter)}: {component} {problem}")
        fitting[name] = parameter
    return fitting


def _problem(value: Value, spec: InputSpec) -> str:
    if spec.choices and str(value) not in spec.choices:
        return f"takes {', '.join(spec.choices)}, not {value!r}"
    if isinstance(value, str):
        return ""
    if spec.minimum is not None and value < spec.minimum:
        return f"takes at least {spec.minimum:g}, not {value!r}"
    if spec.maximum is not None and value > spec.maximum:
        return f"takes at most {spec.maximum:g}, not {value!r}"
    return ""


def _field(name: str, parameter: Parameter) -> str:
    return f"training.parameters.{name}" if parameter.origin == Origin.CONFIG else name

"""What a step of a pipeline is to do: its component's settings, and its own which come first."""

import re
from collections.abc import Collection

from localcloud.azureml.arm import Json, user_error
from localcloud.azureml.bodies import section

_DESCRIPTION = (
    *("name", "type", "version", "description", "display_name", "tags", "properties", "_source"),
    *("$schema", "componentId", "is_deterministic", "inputs", "outputs"),
)
RUNNING = ("computeId", "resources", "environment_variables", "identity")
_WHOLE = re.compile(r"-?\d{1,9}")


def merged(step: str, component: Json, body: Json, supported: Collection[str]) -> Json:
    """The settings of a step.

    Raises:
        ArmError: 400 for a setting that is not among the `supported` ones.
    """
    settings: Json = {}
    for given in (component, body):
        settings |= {key: value for key, value in given.items() if value not in (None, {}, [])}
    unknown = sorted(settings.keys() - {*_DESCRIPTION, *RUNNING, *supported})
    if unknown:
        message = f"Step '{step}': the local cloud does not support '{unknown[0]}'."
        raise user_error(message, target=f"jobs.{step}.{unknown[0]}")
    for key in ("resources", "environment_variables"):
        settings[key] = section(component, key) | section(body, key)
    return settings


def number(settings: Json, name: str, default: int, low: int, high: int = 10**9) -> int:
    """The integer under `name`, which components have as a string.

    Raises:
        ArmError: 400 when it is no integer or outside `low` to `high`.
    """
    value = settings.get(name)
    if value is None:
        return default
    if not _WHOLE.fullmatch(str(value)) or not low <= int(value) <= high:
        raise user_error(f"'{name}' must be a whole number from {low} to {high}.", target=name)
    return int(value)

"""Steps of a pipeline that run a command."""

from localcloud.azureml.arm import Json, user_error
from localcloud.azureml.bodies import duration, section, text
from localcloud.azureml.job_ports import check_references
from localcloud.azureml.step_settings import number

SETTINGS = ("command", "code", "environment", "limits")

_NO_LIMIT = "PT0S"


def read_command(step: str, settings: Json, inputs: Json, outputs: Json) -> Json:
    """What the compute node needs of a command step besides what it needs of every step.

    Raises:
        ArmError: 400 when something about it is wrong.
    """
    command = text(settings, "command")
    if "$[[" in command:
        message = f"Step '{step}': the local cloud has no optional parts ($[[...]]) of commands."
        raise user_error(message, target=f"jobs.{step}.command")
    if number(settings["resources"], "instance_count", 1, 1) > 1:
        message = f"Step '{step}': the local cloud runs a command on one node."
        raise user_error(message, target=f"jobs.{step}.resources")
    limit = duration(section(settings, "limits"), "timeout", _NO_LIMIT)
    return {
        "command": check_references(command, inputs, outputs, f"jobs.{step}.command"),
        "seconds": limit.total_seconds() or None,
    }

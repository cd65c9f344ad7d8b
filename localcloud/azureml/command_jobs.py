"""Command jobs: a shell command with code, inputs and outputs."""

from localcloud.azureml.arm import Json, user_error
from localcloud.azureml.assets import Assets
from localcloud.azureml.bodies import duration, section, string_map, text, whole_number
from localcloud.azureml.codes import Codes
from localcloud.azureml.computes import Computes
from localcloud.azureml.environments import Environments
from localcloud.azureml.job_ports import check_references, named, read_inputs, read_places
from localcloud.azureml.pipeline import SERVERLESS, compute_name
from localcloud.azureml.places import Places
from localcloud.azureml.submission import Submission, check_computes
from localcloud.azureml.vm_sizes import find_size

_DEFAULT_TIMEOUT = "PT0S"


class CommandJobs:
    """Reads command jobs as they are submitted."""

    fixed = (
        "command",
        "codeId",
        "environmentId",
        "environmentVariables",
        "inputs",
        "outputs",
        "resources",
        "limits",
    )

    def __init__(
        self,
        computes: Computes,
        codes: Codes,
        environments: Environments,
        assets: Assets,
        places: Places,
    ) -> None:
        self._computes = computes
        self._codes = codes
        self._environments = environments
        self._assets = assets
        self._places = places

    def read(self, name: str, properties: Json) -> Submission:
        """The job as it was submitted.

        Raises:
            ArmError: 400 or 404 when something about it is wrong.
        """
        compute = compute_name(properties.get("computeId"))
        check_computes(self._computes, [compute])
        _check_resources(properties, compute)
        self._environments.find(text(properties, "environmentId"))
        code = properties.get("codeId") and text(properties, "codeId")
        inputs, outputs = named(properties, "inputs"), named(properties, "outputs")
        literals, assets = read_inputs(self._assets, inputs)
        return Submission(
            properties=_resource(properties, inputs, outputs),
            work={
                "command": check_references(
                    text(properties, "command"), inputs, outputs, "command"
                ),
                "code": self._codes.url(code) if code else None,
                "variables": string_map(properties, "environmentVariables"),
                "literals": literals,
                "assets": assets,
                "outputs": {output: output for output in outputs},
                "types": {key: value["jobOutputType"] for key, value in outputs.items()},
                "places": read_places(self._places, name, outputs),
                "seconds": _seconds(properties),
            },
            known={
                "_azureml.ComputeTargetType": "amlctrain",
                "_azureml.ClusterName": compute or SERVERLESS,
            },
        )


def _check_resources(properties: Json, compute: str | None) -> None:
    resources = section(properties, "resources")
    if whole_number(resources, "instanceCount", 1, 1, 1000) > 1:
        raise user_error("The local cloud runs a command on one node.", target="instanceCount")
    size = resources.get("instanceType")
    if compute is None and size and find_size(str(size)) is None:
        raise user_error(f"The instance type '{size}' is not known.", target="instanceType")


def _seconds(properties: Json) -> float | None:
    """How long the job may run."""
    limits = section(properties, "limits")
    return duration(limits, "timeout", _DEFAULT_TIMEOUT).total_seconds() or None


def _resource(properties: Json, inputs: dict[str, Json], outputs: dict[str, Json]) -> Json:
    """What the service says of a command job besides what it says of every job."""
    kept = ("distribution", "limits", "queueSettings", "autologgerSettings", "notificationSetting")
    resources: Json = {"instanceCount": 1, "instanceType": None, "properties": {}, "shmSize": "2g"}
    unset = {"description": None}
    place = {"description": None, "mode": None, "uri": None}
    return {
        "command": properties["command"],
        "codeId": properties.get("codeId"),
        "environmentId": properties["environmentId"],
        "environmentVariables": string_map(properties, "environmentVariables"),
        "inputs": {key: unset | value for key, value in inputs.items()},
        "outputs": {key: place | value for key, value in outputs.items()},
        "resources": resources | section(properties, "resources"),
        "parameters": {},
        **{key: properties.get(key) for key in kept},
    }

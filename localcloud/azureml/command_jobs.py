"""Command jobs: a shell command with code, inputs and outputs."""

import re

from localcloud.azureml.arm import Json, user_error
from localcloud.azureml.assets import Assets
from localcloud.azureml.bodies import duration, section, string_map, text, whole_number
from localcloud.azureml.codes import Codes
from localcloud.azureml.computes import Computes
from localcloud.azureml.environments import Environments
from localcloud.azureml.pipeline import ASSET_TYPES, SERVERLESS, compute_name
from localcloud.azureml.places import Places
from localcloud.azureml.submission import Submission, check_computes
from localcloud.azureml.vm_sizes import find_size

REFERENCE = re.compile(r"\$\{\{\s*(?P<expression>[^}]*?)\s*\}\}")
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
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
        inputs, outputs = _named(properties, "inputs"), _named(properties, "outputs")
        literals, assets = self._read_inputs(inputs)
        return Submission(
            properties=_resource(properties, inputs, outputs),
            work={
                "command": _checked(text(properties, "command"), inputs, outputs),
                "code": self._codes.url(code) if code else None,
                "variables": string_map(properties, "environmentVariables"),
                "literals": literals,
                "assets": assets,
                "outputs": {output: output for output in outputs},
                "types": {key: value["jobOutputType"] for key, value in outputs.items()},
                "places": self._read_places(name, outputs),
                "seconds": _seconds(properties),
            },
            known={
                "_azureml.ComputeTargetType": "amlctrain",
                "_azureml.ClusterName": compute or SERVERLESS,
            },
        )

    def _read_inputs(self, inputs: dict[str, Json]) -> tuple[dict[str, str], dict[str, str]]:
        """The values of literals, and the URIs of everything else."""
        literals: dict[str, str] = {}
        assets: dict[str, str] = {}
        for key, value in inputs.items():
            kind = text(value, "jobInputType")
            if kind == "literal":
                literals[key] = str(value.get("value", ""))
            elif kind in ASSET_TYPES:
                assets[key] = text(value, "uri")
                self._assets.check(assets[key])
            else:
                message = f"Input '{key}' is of type '{kind}', which is not known."
                raise user_error(message, target=f"inputs.{key}")
        return literals, assets

    def _read_places(self, job: str, outputs: dict[str, Json]) -> Json:
        """The outputs that say where they are to be put."""
        places: Json = {}
        for key, value in outputs.items():
            _check_output(key, value)
            if not value.get("uri"):
                continue
            uri = text(value, "uri").replace("${{name}}", job).replace("${{output_name}}", key)
            place = self._places.find(uri)
            if place is None:
                message = f"Output '{key}' has the path '{uri}', which is in no datastore."
                raise user_error(message, target=f"outputs.{key}")
            places[key] = {"datastore": place.datastore, "path": place.path}
        return places


def _checked(command: str, inputs: Json, outputs: Json) -> str:
    """The command, if all that it refers to is there."""
    there = {*(f"inputs.{key}" for key in inputs), *(f"outputs.{key}" for key in outputs)}
    for match in REFERENCE.finditer(command):
        if match["expression"] not in there:
            message = f"The command refers to '{match[0]}', which the job does not have."
            raise user_error(message, target="command")
    return command


def _named(properties: Json, kind: str) -> dict[str, Json]:
    """Inputs or outputs by names that are right."""
    found = section(properties, kind)
    for key in found:
        if not _NAME.fullmatch(key):
            raise user_error(f"'{key}' is no name for one of the {kind}.", target=kind)
    return {key: section(found, key) for key in found}


def _check_output(key: str, value: Json) -> None:
    if text(value, "jobOutputType") not in ASSET_TYPES:
        message = f"Output '{key}' is of type '{value['jobOutputType']}', which is not known."
        raise user_error(message, target=f"outputs.{key}")
    if value.get("assetName"):
        message = f"Output '{key}': the local cloud registers no outputs as assets."
        raise user_error(message, target=f"outputs.{key}")


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

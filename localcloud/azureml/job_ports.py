"""A job's inputs and outputs as they are submitted: their names, types, places and references."""

import re

from localcloud.azureml.arm import Json, user_error
from localcloud.azureml.assets import Assets
from localcloud.azureml.bodies import section, text
from localcloud.azureml.pipeline import ASSET_TYPES
from localcloud.azureml.places import Places

_REFERENCE = re.compile(r"\$\{\{\s*(?P<expression>[^}]*?)\s*\}\}")
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def named(properties: Json, kind: str) -> dict[str, Json]:
    """Inputs, outputs or steps by their names.

    Raises:
        ArmError: 400 for a name that is not right.
    """
    found = section(properties, kind)
    for key in found:
        if not _NAME.fullmatch(key):
            raise user_error(f"'{key}' is no name for one of the {kind}.", target=kind)
    return {key: section(found, key) for key in found}


def read_inputs(assets: Assets, inputs: dict[str, Json]) -> tuple[dict[str, str], dict[str, str]]:
    """The values of a job's literal inputs, and the URIs of all others.

    Raises:
        ArmError: 400 or 404 for an input that can't be read.
    """
    literals: dict[str, str] = {}
    uris: dict[str, str] = {}
    for key, value in inputs.items():
        kind = text(value, "jobInputType")
        if kind == "literal":
            literals[key] = str(value.get("value", ""))
        elif kind in ASSET_TYPES:
            uris[key] = text(value, "uri")
            assets.check(uris[key])
        else:
            message = f"Input '{key}' is of type '{kind}', which is not known."
            raise user_error(message, target=f"inputs.{key}")
    return literals, uris


def check_references(line: str, inputs: Json, outputs: Json, target: str) -> str:
    """The command line, if all that it refers to is there.

    Raises:
        ArmError: 400 when something is not.
    """
    there = {*(f"inputs.{key}" for key in inputs), *(f"outputs.{key}" for key in outputs)}
    for match in _REFERENCE.finditer(line):
        if match["expression"] not in there:
            message = f"The command refers to '{match[0]}', which the job does not have."
            raise user_error(message, target=target)
    return line


def read_places(places: Places, job: str, outputs: dict[str, Json]) -> Json:
    """The outputs of a job that say where they are to be put.

    Raises:
        ArmError: 400 for an output that the local cloud can't keep.
    """
    found: Json = {}
    for key, value in outputs.items():
        _check_output(key, value)
        if not value.get("uri"):
            continue
        uri = text(value, "uri").replace("${{name}}", job).replace("${{output_name}}", key)
        place = places.find(uri)
        if place is None:
            message = f"Output '{key}' has the path '{uri}', which is in no datastore."
            raise user_error(message, target=f"outputs.{key}")
        found[key] = {"datastore": place.datastore, "path": place.path}
    return found


def _check_output(key: str, value: Json) -> None:
    if text(value, "jobOutputType") not in ASSET_TYPES:
        message = f"Output '{key}' is of type '{value['jobOutputType']}', which is not known."
        raise user_error(message, target=f"outputs.{key}")
    if value.get("assetName"):
        message = f"Output '{key}': the local cloud registers no outputs as assets."
        raise user_error(message, target=f"outputs.{key}")

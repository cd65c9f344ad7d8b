"""Where the steps of a pipeline put what they make."""

import re
from collections.abc import Mapping

from localcloud.azureml.arm import Json, user_error
from localcloud.azureml.job_ports import named, read_places
from localcloud.azureml.places import Places

MODES = ("ReadWriteMount", "Upload")
COMPONENT_MODES = ("rw_mount", "upload")

_BINDING = re.compile(r"\s*\$\{\{\s*parent\.outputs\.(?P<name>\w+)\s*\}\}\s*")


def read_outputs(
    bodies: Mapping[str, Json],
    ports: Mapping[str, Mapping[str, Json]],
    declared: Mapping[str, Json],
    runs: Mapping[str, str],
    places: Places,
) -> dict[str, Json]:
    """The outputs of each step: their types, and where they go.

    An output is one of the job's (`job_output`), has a `place` of its own, or has neither.

    Args:
        bodies: the steps.
        ports: the outputs of each step's component.
        declared: the job's outputs.
        runs: the id of each step's run.

    Raises:
        ArmError: 400 for one that is unknown or bound to nothing, and for a job's that no step
            makes.
    """
    reader = _Reader(declared, places)
    found: dict[str, Json] = {}
    for step, body in bodies.items():
        given = named(body, "outputs")
        if unknown := sorted(set(given) - set(ports[step])):
            message = f"The component of step '{step}' has no output '{unknown[0]}'."
            raise user_error(message, target=f"jobs.{step}.outputs.{unknown[0]}")
        typed = {port: spec | given.get(port, {}) for port, spec in ports[step].items()}
        found[step] = {
            port: reader.read(port, output, runs[step], f"jobs.{step}.outputs.{port}")
            for port, output in typed.items()
        }
    made = [output["job_output"] for outputs in found.values() for output in outputs.values()]
    for name in declared:
        if made.count(name) != 1:
            many = "Several steps produce" if name in made else "No step produces"
            raise user_error(f"{many} the job's output '{name}'.", target=f"outputs.{name}")
    return found


class _Reader:
    """Reads the outputs of steps one by one."""

    def __init__(self, declared: Mapping[str, Json], places: Places) -> None:
        self._declared = declared
        self._places = places

    def read(self, port: str, given: Json, run: str, target: str) -> Json:
        """One output of a step, whose run has this id."""
        reference = given.get("value")
        if reference is not None:
            return self._bound(str(reference), target)
        kind = given.get("job_output_type") or given.get("type")
        output = {"uri": None, "mode": None, **given, "jobOutputType": kind}
        if output["mode"] not in COMPONENT_MODES:
            _check_mode(output, target)
        place = read_places(self._places, run, {port: output}).get(port)
        return {"type": kind, "job_output": None, "place": place}

    def _bound(self, reference: str, target: str) -> Json:
        match = _BINDING.fullmatch(reference)
        if match is None or match["name"] not in self._declared:
            message = f"'{target}' is bound to '{reference}', which the job does not have."
            raise user_error(message, target=target)
        output = self._declared[match["name"]]
        _check_mode(output, target)
        return {"type": output.get("jobOutputType"), "job_output": match["name"], "place": None}


def _check_mode(output: Json, target: str) -> None:
    if output.get("mode") not in (None, *MODES):
        message = f"'{target}': the local cloud has the modes {' and '.join(MODES)} only."
        raise user_error(message, target=target)

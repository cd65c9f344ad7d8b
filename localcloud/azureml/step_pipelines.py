"""Pipeline jobs whose steps are the workspace's own components: commands and parallel steps.

All steps of a job run on the one local node, one after the other in the order of their bindings,
and always: no earlier step's output is used again, as Azure does for deterministic components.
"""

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

from localcloud.azureml import command_steps, parallel_steps
from localcloud.azureml.arm import Json, user_error
from localcloud.azureml.assets import Assets
from localcloud.azureml.bodies import section, string_map, text
from localcloud.azureml.codes import Codes
from localcloud.azureml.components import Components
from localcloud.azureml.environments import Environments
from localcloud.azureml.job_ports import named, read_inputs, read_places
from localcloud.azureml.pipeline import compute_name
from localcloud.azureml.places import Places
from localcloud.azureml.site import DATASTORE, Site
from localcloud.azureml.step_inputs import InputReader, StepInputs
from localcloud.azureml.step_outputs import read_outputs
from localcloud.azureml.step_settings import merged, number
from localcloud.azureml.vm_sizes import find_size

KINDS = {
    "command": (command_steps.SETTINGS, command_steps.read_command),
    "parallel": (parallel_steps.SETTINGS, parallel_steps.read_parallel),
}


class StepPipelines:
    """Reads the steps of pipeline jobs as they are submitted."""

    def __init__(
        self,
        site: Site,
        components: Components,
        codes: Codes,
        environments: Environments,
        assets: Assets,
        places: Places,
    ) -> None:
        self._site = site
        self._components = components
        self._codes = codes
        self._environments = environments
        self._assets = assets
        self._places = places

    def read(self, name: str, properties: Json) -> Json:
        """What the compute node needs of a job.

        Raises:
            ArmError: 400 or 404 when something about it is wrong.
        """
        _check_settings(section(properties, "settings"))
        bodies, inputs = named(properties, "jobs"), named(properties, "inputs")
        if not bodies:
            raise user_error("The pipeline has no steps.", target="jobs")
        literals, _ = read_inputs(self._assets, inputs)
        components = {step: self._component(step, body) for step, body in bodies.items()}
        ports = {step: named(spec, "outputs") for step, spec in components.items()}
        reader = InputReader(self._assets, inputs, ports)
        given = {step: reader.read(step, body, components[step]) for step, body in bodies.items()}
        outputs = named(properties, "outputs")
        runs = {step: self._site.step_run(name, step) for step in bodies}
        kept = read_outputs(bodies, ports, outputs, runs, self._places)
        steps = [
            self._step(step, properties, components[step], given[step]) | {"outputs": kept[step]}
            for step in _in_order(given)
        ]
        return {
            "steps": steps,
            "literals": literals,
            "assets": {},
            "outputs": {output: output for output in outputs},
            "types": {key: value["jobOutputType"] for key, value in outputs.items()},
            "places": read_places(self._places, name, outputs),
        }

    def _component(self, step: str, body: Json) -> Json:
        if body.get("type") not in KINDS:
            message = (
                f"Step '{step}' is of type '{body.get('type')}': the local cloud runs steps of "
                f"type {' and '.join(KINDS)} only."
            )
            raise user_error(message, target=f"jobs.{step}.type")
        component = self._components.spec(text(body, "componentId"))
        if body.get("type") != component["type"]:
            message = f"Step '{step}' is of type '{body.get('type')}', unlike its component."
            raise user_error(message, target=f"jobs.{step}.type")
        return component

    def _step(self, step: str, properties: Json, component: Json, inputs: StepInputs) -> Json:
        supported, read = KINDS[component["type"]]
        settings = merged(step, component, section(properties["jobs"], step), supported)
        task = section(settings, "task") or settings
        self._environments.find(text(task, "environment"))
        there = {*inputs.literals, *inputs.assets, *inputs.outputs}
        types = {key: value for key, value in named(component, "inputs").items() if key in there}
        return {
            "name": step,
            "code": self._codes.url(text(task, "code")) if task.get("code") else None,
            "variables": string_map(settings, "environment_variables"),
            "literals": dict(inputs.literals),
            "assets": dict(inputs.assets),
            "bound": {key: list(source) for key, source in inputs.outputs.items()},
            **_resources(step, settings, properties),
            **read(step, settings, types, named(component, "outputs")),
        }


def default_compute(properties: Json) -> str | None:
    """The cluster for steps that name none; None for serverless compute."""
    default = section(properties, "settings").get("default_compute")
    return compute_name(properties.get("computeId") or default)


def computes(properties: Json, work: Json) -> Iterable[str | None]:
    """All clusters that a job asks for."""
    return [default_compute(properties), *(step["compute"] for step in work["steps"])]


def _resources(step: str, settings: Json, properties: Json) -> Json:
    """Where a step runs, and on how many nodes."""
    given = settings.get("computeId")
    compute = compute_name(given) if given else default_compute(properties)
    size = settings["resources"].get("instance_type")
    if compute is None and size and find_size(str(size)) is None:
        message = f"The instance type '{size}' is not known."
        raise user_error(message, target=f"jobs.{step}.resources")
    return {"compute": compute, "nodes": number(settings["resources"], "instance_count", 1, 1)}


def _check_settings(settings: Json) -> None:
    if str(settings.get("default_datastore") or DATASTORE).rpartition("/")[2] != DATASTORE:
        message = f"The local cloud keeps outputs without a path in '{DATASTORE}' only."
        raise user_error(message, target="settings.default_datastore")
    for key in ("continue_on_step_failure", "on_init", "on_finalize"):
        if settings.get(key):
            message = f"The local cloud does not support the pipeline setting '{key}'."
            raise user_error(message, target=f"settings.{key}")


def _in_order(steps: dict[str, StepInputs]) -> list[str]:
    """The steps, each after those whose outputs it reads."""
    sources = {
        name: [step for step, _ in inputs.outputs.values()] for name, inputs in steps.items()
    }
    try:
        return list(TopologicalSorter(sources).static_order())
    except CycleError as error:
        raise user_error("Steps of the pipeline wait for each other.", target="jobs") from error

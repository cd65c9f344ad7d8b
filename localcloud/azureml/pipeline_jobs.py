"""Pipeline jobs: one step with the registry's component, or steps with the workspace's own."""

import json
from collections.abc import Sequence

from localcloud.azureml.arm import Json, user_error
from localcloud.azureml.bodies import section, text
from localcloud.azureml.computes import Computes
from localcloud.azureml.pipeline import (
    SERVERLESS,
    Step,
    component_reference,
    compute_name,
    is_registry_pipeline,
    read_step,
)
from localcloud.azureml.registry import Registry
from localcloud.azureml.site import DATASTORE
from localcloud.azureml.step_pipelines import StepPipelines, computes, default_compute
from localcloud.azureml.submission import Submission, check_computes
from localcloud.azureml.vm_sizes import find_size


class PipelineJobs:
    """Reads pipeline jobs as they are submitted."""

    fixed = ("settings", "inputs", "outputs", "jobs")

    def __init__(self, computes: Computes, registry: Registry, steps: StepPipelines) -> None:
        self._computes = computes
        self._registry = registry
        self._steps = steps

    def read(self, name: str, properties: Json) -> Submission:
        """The job as it was submitted.

        Raises:
            ArmError: 400 or 404 when something about it is wrong.
        """
        if is_registry_pipeline(properties):
            work, compute = self._read_component(properties), properties.get("computeId")
        else:
            work = self._steps.read(name, properties)
            compute = default_compute(properties)
            check_computes(self._computes, computes(properties, work))
        return Submission(
            properties={
                "settings": properties.get("settings"),
                "jobs": properties["jobs"],
                "inputs": _with(properties, "inputs", ("description",)),
                "outputs": _with(properties, "outputs", ("description", "mode", "uri")),
                "sourceJobId": None,
            },
            work=work,
            known={
                "azureml.DevPlatv2": "true",
                "azureml.runsource": "azureml.PipelineRun",
                "runSource": "MFE",
                "runType": "HTTP",
                "azureml.parameters": json.dumps(
                    {key: str(value) for key, value in work["literals"].items()}
                ),
                "azureml.defaultComputeName": compute_name(compute) or SERVERLESS,
                "azureml.defaultDataStoreName": DATASTORE,
                "azureml.pipelineComponent": "pipelinerun",
            },
        )

    def _read_component(self, properties: Json) -> Json:
        """What the compute node needs for a pipeline of the registry's component."""
        step_name, body, component, version = component_reference(properties)
        spec = self._registry.component(component, version, text(body, "componentId"))
        step = read_step(step_name, body, properties, spec)
        wanted = [properties.get("computeId"), body.get("computeId"), *_computes(step)]
        check_computes(self._computes, map(compute_name, wanted))
        _check_instance_types(step)
        return {
            "literals": dict(step.literals),
            "assets": dict(step.assets),
            "outputs": dict(step.outputs),
        }


def _computes(step: Step) -> list[object]:
    """The clusters that the component's inputs name."""
    return [value for name, value in step.literals.items() if name.startswith("compute_")]


def _check_instance_types(step: Step) -> None:
    """Refuse sizes that there are not, for the parts that run on serverless compute."""
    for name, size in step.literals.items():
        part = name.removeprefix("instance_type_")
        if part == name or step.literals.get(f"compute_{part}", SERVERLESS) != SERVERLESS:
            continue
        if find_size(str(size)) is None:
            raise user_error(f"The instance type '{size}' is not known.", target=name)


def _with(properties: Json, name: str, unset: Sequence[str]) -> Json:
    """The declared inputs or outputs with everything that the service says of one."""
    declared = section(properties, name)
    return {key: dict.fromkeys(unset) | section(declared, key) for key in declared}

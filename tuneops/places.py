"""Where the steps of a training job run, by what a config says. Pure.

What `training.parameters` says of a step goes before what `compute` says of all.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tuneops.config import SERVERLESS, Compute, InstanceTypes
from tuneops.parameters import Value

FINETUNE = "finetune"
STEPS = ("model_import", "preprocess", FINETUNE, "model_evaluation")


@dataclass(frozen=True)
class Place:
    """Where a step runs, and the fields of the config that say so; `size` only if serverless."""

    compute: str
    compute_field: str
    size: str
    size_field: str

    @property
    def serverless(self) -> bool:
        """Whether Azure ML finds the machines itself."""
        return self.compute == SERVERLESS


def places_of(compute: Compute, given: Mapping[str, Value]) -> dict[str, Place]:
    """Where each step runs: what the `given` parameters say of it, else what `compute` says."""
    types = (compute.instance_types or InstanceTypes()).model_dump()
    return {
        step: Place(
            *stated(given, f"compute_{step}", compute.name, "compute.name"),
            *stated(given, f"instance_type_{step}", types[step], f"compute.instance_types.{step}"),
        )
        for step in STEPS
    }


def stated(given: Mapping[str, Value], name: str, other: Value, field: str) -> tuple[str, str]:
    """A value and where it stands: in `training.parameters` by this name, or in another field."""
    return (
        (str(given[name]), f"training.parameters.{name}") if name in given else (str(other), field)
    )

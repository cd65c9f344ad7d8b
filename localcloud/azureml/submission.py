"""What the kinds of jobs have in common when one is submitted."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from localcloud.azureml.arm import Json, user_error
from localcloud.azureml.computes import Computes
from localcloud.azureml.pipeline import SERVERLESS


@dataclass(frozen=True)
class Submission:
    """A job that was read and found right.

    `properties` are those of its resource that only its kind has, `known` is what the service
    says of it by itself, and `work` is what the compute node needs.
    """

    properties: Json
    work: Json
    known: dict[str, str] = field(default_factory=dict)


class JobKind(Protocol):
    """A kind of job."""

    @property
    def fixed(self) -> tuple[str, ...]:
        """The properties that never change, besides those that are fixed for every job."""

    def read(self, name: str, properties: Json) -> Submission:
        """The job as it was submitted.

        Raises:
            ArmError: 400 or 404 when something about it is wrong.
        """


def check_computes(computes: Computes, names: Iterable[str | None]) -> None:
    """Refuse clusters that there are not; None stands for serverless compute.

    Raises:
        ArmError: 400 for the first of them.
    """
    for name in sorted({name for name in names if name is not None}):
        if not computes.exists(name):
            raise user_error(
                f"Compute '{name}' does not exist or is not ready. "
                f"Name a compute of the workspace, or '{SERVERLESS}'.",
                target="computeId",
            )

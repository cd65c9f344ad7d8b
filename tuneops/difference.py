"""How what is live differs from what it should be, as it is stored with its release."""

from datetime import datetime
from enum import StrEnum

from tuneops.document import Document


class Part(StrEnum):
    """What differs, by what brings it back; the first in their order, `FOREIGN` never."""

    TRAFFIC = "traffic"
    MODEL = "model"
    ENDPOINT_GONE = "endpoint gone"
    ENDPOINT = "endpoint"
    DEPLOYMENT_GONE = "deployment gone"
    DEPLOYMENT = "deployment"
    AUTOSCALE = "autoscale"
    FOREIGN = "foreign"


class Difference(Document):
    """One thing that is found otherwise than wanted; nothing is wanted of what says it all."""

    part: Part
    what: str
    found: str
    wanted: str = ""

    def __str__(self) -> str:
        instead = f" instead of {self.wanted}" if self.wanted else ""
        return f"{self.what} is {self.found}{instead}"


class Answer(StrEnum):
    """What is done about a drift; `STOPPED`: it was healed too often and came back."""

    HEALING = "healing"
    REPORTED = "reported"
    STOPPED = "stopped"


class Drift(Document):
    """The differences that last `since` then, and what is done about them.

    `noted_at` is when they were written down last, `begun` when each part was begun to be brought
    back after that. `changes` say who changed what last, as far as Azure's activity log tells.
    """

    differences: tuple[Difference, ...]
    answer: Answer
    since: datetime
    noted_at: datetime
    begun: dict[Part, datetime] = {}
    changes: tuple[str, ...] = ()

    def has(self, found: tuple[Difference, ...]) -> bool:
        """Whether all of these are written down already."""
        return set(found) <= set(self.differences)

"""How the provisioning of a release's deployment goes, as it is stored with the release."""

from collections.abc import Sequence
from datetime import datetime

from tuneops.document import Document


class Shortage(Document):
    """An instance type that was not to be had, and why."""

    instance_type: str
    reason: str


class Provisioning(Document):
    """What was tried so far.

    `lacking` are the instance types that were not to be had. `preferred` is tried before those of
    the config: a deployment on it is there already, or was. `cramped`: there was no quota, so that
    superseded deployments are not kept. `failed_at` is when a failure was seen that may be gone the
    next time. `scalings` counts how often its autoscale setting was written.
    """

    lacking: tuple[Shortage, ...] = ()
    preferred: str = ""
    cramped: bool = False
    failed_at: datetime | None = None
    scalings: int = 0

    def left(self, wanted: Sequence[str]) -> list[str]:
        """Of the instance types that the config wants those that may still be tried, in order."""
        missing = {each.instance_type for each in self.lacking}
        order = dict.fromkeys(filter(None, (self.preferred, *wanted)))
        return [each for each in order if each not in missing]

    def lacks(self, instance_type: str, reason: str) -> "Provisioning":
        """What it is when an instance type is not to be had."""
        shortage = Shortage(instance_type=instance_type, reason=reason)
        return self.replace(lacking=(*self.lacking, shortage), failed_at=None)

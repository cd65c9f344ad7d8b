"""What stands in a workspace with our tags. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tuneops import names


class Kind(StrEnum):
    """What a resource is."""

    ENDPOINT = "endpoint"
    DEPLOYMENT = "deployment"
    CLUSTER = "cluster"
    JOB = "job"


_FOLDERS = {
    "onlineendpoints": Kind.ENDPOINT,
    "deployments": Kind.DEPLOYMENT,
    "computes": Kind.CLUSTER,
    "jobs": Kind.JOB,
}


@dataclass(frozen=True)
class Resource:
    """A resource by its ARM id, with its tags."""

    id: str
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """What it is, by its id."""
        return _FOLDERS[self.id.split("/")[-2].lower()]

    @property
    def name(self) -> str:
        """Its name; that of a deployment alone."""
        return self.id.rpartition("/")[2]

    @property
    def key(self) -> str:
        """Names it in a workspace: Azure does not tell cases apart."""
        return self.id.lower()

    @property
    def above(self) -> str:
        """The id of a deployment's endpoint."""
        return "/".join(self.id.split("/")[:-2])

    @property
    def label(self) -> str:
        """What people call it."""
        if self.kind == Kind.DEPLOYMENT:
            return f"deployment {self.above.rpartition('/')[2]}/{self.name}"
        return f"{self.kind} {self.name}"

    @property
    def project(self) -> str:
        """The project in its tag, empty without one."""
        return self.tags.get(names.TAG_PROJECT, "")

    @property
    def release(self) -> int | None:
        """The release in its tag, None when that is no number."""
        text = self.tags.get(names.TAG_RELEASE, "")
        return int(text) if text.isdecimal() and len(text) < 10 else None

    @property
    def commit(self) -> str:
        """The commit in its tag."""
        return self.tags.get(names.TAG_COMMIT, "")

    @property
    def wanted(self) -> bool:
        """Whether people want it kept."""
        return names.TAG_KEEP in self.tags

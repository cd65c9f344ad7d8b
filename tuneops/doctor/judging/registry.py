"""Whether what trainings start from can be had. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tuneops.doctor.finding import Finding, failed, ok
from tuneops.doctor.judging.machines import Wanted

Kind = Literal["model", "component"]


@dataclass(frozen=True)
class Asset:
    """A base model or a component of a registry, at a version that may be ``latest``."""

    kind: Kind
    registry: str
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}, version {self.version}, of registry {self.registry}"


def assets_of(wanted: Iterable[Wanted]) -> dict[Asset, Wanted]:
    """What the configs name, each with the first that does."""
    found: dict[Asset, Wanted] = {}
    for each in wanted:
        model, training = each.config.model, each.config.training
        found.setdefault(Asset("model", model.registry, model.name, model.version), each)
        component = (training.component, training.component_version)
        found.setdefault(Asset("component", model.registry, *component), each)
    return found


def judge(asset: Asset, error: str, wanted: Wanted) -> Finding:
    """Whether it could be looked up."""
    check, where = f"registry.{asset.kind}", f"{asset}, named in {wanted.path}"
    if error:
        field = "model" if asset.kind == "model" else "training"
        mend = (
            f"mend {field} in {wanted.path}: az ml {asset.kind} list --registry-name "
            f"{asset.registry} shows what there is; where a role is missing, grant it"
        )
        return failed(check, error, mend, where)
    return ok(check, "is there", where)

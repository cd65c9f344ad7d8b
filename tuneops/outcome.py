"""What a config would change, set beside the newest release of its project. Pure."""

from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from typing import Any

from tuneops import parameters
from tuneops.config import Deployment, ProjectConfig
from tuneops.desired import ABOUT_RELEASES
from tuneops.document import Document
from tuneops.release import TrainingPlan

MAX_SHOWN = 80


class Kind(StrEnum):
    """What becomes of a project, from nothing to everything."""

    NOTHING = "nothing"
    SUSPENDED = "suspended"
    SETTINGS = "settings"
    REDEPLOY = "redeploy"
    TRAIN = "train"
    REMOVE = "remove"


SAID = {
    Kind.NOTHING: "nothing changes",
    Kind.SUSPENDED: "is suspended",
    Kind.SETTINGS: "a release with the same model and deployment",
    Kind.REDEPLOY: "the same model is deployed anew",
    Kind.TRAIN: "a model is trained",
    Kind.REMOVE: "the config is removed",
}


class Change(Document):
    """A field of the config, or an input of the pipeline, that becomes another; "" is none."""

    field: str
    before: str
    after: str


class Outcome(Document):
    """What would happen, and the changes that make it happen."""

    kind: Kind
    changes: tuple[Change, ...] = ()


def outcome(
    config: ProjectConfig,
    plan: TrainingPlan,
    before: ProjectConfig | None,
    trained: TrainingPlan | None,
) -> Outcome:
    """What `config` would make of the project whose newest release is of `before`.

    `plan` and `trained` are what would train and what has trained; the data is taken as the same.
    """
    if config.suspend:
        return Outcome(kind=Kind.SUSPENDED)
    if before is None or trained is None:
        return Outcome(kind=Kind.TRAIN)
    found = tuple(changes(before, config, trained, plan))
    if before.data != config.data or _model(trained) != _model(plan):
        kind = Kind.TRAIN
    elif _served(before) != _served(config):
        kind = Kind.REDEPLOY
    else:
        kind = Kind.SETTINGS if found else Kind.NOTHING
    return Outcome(kind=kind, changes=found)


def removal(config: ProjectConfig | None) -> str:
    """What becomes of what serves when this config is removed."""
    if config and config.deletion_protection:
        return "nothing: it has deletion_protection"
    if config and config.on_removal == "retain":
        return "its endpoint is retained, and looked after no more"
    return "its endpoint is deleted; models and data stay"


def _served(config: ProjectConfig) -> Deployment:
    """What is deployed if the first instance type is to be had."""
    served = config.deployment.on(config.deployment.instance_type)
    return served.model_copy(update={"autoscale": None})


def _model(plan: TrainingPlan) -> tuple[object, ...]:
    """What decides the model besides its data."""
    return plan.base_model, plan.component, parameters.deciding(plan.parameters)


def changes(
    before: ProjectConfig,
    after: ProjectConfig,
    trained: TrainingPlan | None,
    plan: TrainingPlan | None,
) -> Iterator[Change]:
    """Fields of the config first, then what comes of them or of a model's new defaults.

    What comes of a config without a plan is not known.
    """
    old, new = (_fields(config.model_dump(exclude=ABOUT_RELEASES)) for config in (before, after))
    yield from _differing(old, new)
    if trained is None or plan is None:
        return
    prefix = "training.parameters."
    shown = {f"input {name.removeprefix(prefix)}" for name in {**old, **new}}
    yield from _differing(_effective(trained), _effective(plan), but=shown)


def _effective(plan: TrainingPlan) -> dict[str, object]:
    """What comes of the config; where model and data are is said by what they are."""
    inputs = {
        f"input {name}": found.value
        for name, found in plan.parameters.items()
        if name not in parameters.ASSET_INPUTS
    }
    return {"base model": plan.base_model, "component": plan.component, **inputs}


def _differing(
    old: Mapping[str, object], new: Mapping[str, object], but: Collection[str] = ()
) -> Iterator[Change]:
    for name in sorted((old.keys() | new.keys()) - set(but)):
        if old.get(name) != new.get(name):
            yield Change(field=name, before=_shown(old.get(name)), after=_shown(new.get(name)))


def _fields(values: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """Nested values by their dotted names; what is not set is left out."""
    found: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= _fields(value, f"{prefix}{name}.")
        elif value is not None:
            found[prefix + name] = value
    return found


def _shown(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."

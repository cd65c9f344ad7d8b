"""What ``latest`` meant when a project first asked, and means to it until its config says else.

Pure. A project keeps what it has resolved by what the config calls it, so a config that goes back
to an earlier model goes back to the version that was used then.
"""

from collections.abc import Mapping

from tuneops.config import ProjectConfig
from tuneops.data.settings import HubData
from tuneops.document import Document

LATEST = "latest"


class Pins(Document):
    """What a release is to use where its config leaves the version open; empty: the newest."""

    base_model: str = ""
    component: str = ""
    hub_revision: str = ""


def pins(config: ProjectConfig, known: Mapping[str, str]) -> Pins:
    """What is known of what the config leaves open."""
    return Pins(
        base_model="" if config.model.follow == LATEST else known.get(_model(config), ""),
        component=known.get(_component(config), ""),
        hub_revision=known.get(_dataset(config), ""),
    )


def resolved(config: ProjectConfig, found: Pins) -> dict[str, str]:
    """What a release has `found` for what its config left open."""
    names = {
        _model(config): found.base_model,
        _component(config): found.component,
        _dataset(config): found.hub_revision,
    }
    return {name: value for name, value in names.items() if name and value}


def _model(config: ProjectConfig) -> str:
    model = config.model
    return f"model {model.registry}/{model.name}" if model.version == LATEST else ""


def _component(config: ProjectConfig) -> str:
    training = config.training
    is_open = training.component_version == LATEST
    return f"component {config.model.registry}/{training.component}" if is_open else ""


def _dataset(config: ProjectConfig) -> str:
    data = config.data
    return f"dataset {data.dataset}" if isinstance(data, HubData) and data.revision is None else ""

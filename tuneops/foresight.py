"""The release that a config would begin, before it does: for plans that are only looked at."""

from datetime import datetime

from tuneops.config import ProjectConfig
from tuneops.data.settings import HubData
from tuneops.desired import Desired, Source
from tuneops.names import asset_name
from tuneops.prepared import PreparedData
from tuneops.project import Project, start_release
from tuneops.release import Release


def foreseen(
    desired: Desired,
    config: ProjectConfig,
    project: Project,
    workspace_id: str,
    data: PreparedData | None,
    at: datetime,
) -> Release:
    """The project's next release, its data taken as `data`, or as something of the right shape."""
    source = desired.source or Source(name="", version="", size=0)
    wanted = desired.replace(config=config, source=source)
    release = start_release(wanted, project, workspace_id, at)
    return release.replace(data=data or _stand_in(desired.project, config))


def _stand_in(project: str, config: ProjectConfig) -> PreparedData:
    """Data that nobody has seen yet, with the parts that the config makes."""
    brings = config.data
    validates = (
        brings.splits.validation if isinstance(brings, HubData) else brings.validation_percent
    )
    name = asset_name(project)
    parts = ("train", "validation", "test") if validates else ("train", "test")
    return PreparedData(
        digest="",
        folder="",
        train_rows=1,
        validation_rows=1 if validates else 0,
        test_rows=1,
        assets={part: f"azureml:{name}-{part}:(the prepared data)" for part in parts},
    )

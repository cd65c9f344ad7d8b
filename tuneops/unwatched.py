"""Projects whose config no source has any more, because the settings have changed. Pure.

A setting takes nothing down: such a project is left as it is until a source has its config again.
A config that was removed from git is another matter.
"""

from tuneops.desired import Desired
from tuneops.names import environment_of
from tuneops.settings import Settings
from tuneops.sources import ConfigSource

NOTE = "left"
"""Stands beside what is desired of such a project, so that a list of them tells."""


def left_alone(gone: Desired, source: ConfigSource) -> Desired:
    """What is desired of a project that was in the source before the source was set otherwise."""
    where = f"{source.repository} ({source.branch}, {source.configs})"
    return gone.replace(left=f"{gone.path} is not in {where}, which the settings name now")


def unwatched(project: str, desired: Desired | None, settings: Settings) -> str:
    """Why nothing is done for a project, empty if something is."""
    environment = environment_of(project)
    if settings.source(environment) is None:
        which = f"environment {environment}" if environment else "the environment without a name"
        return f"left as it is: {which} is not in TUNEOPS_SOURCES"
    return f"left as it is: {desired.left}" if desired and desired.left else ""

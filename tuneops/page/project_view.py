"""All that a project's page shows, made from documents. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tuneops.names import environment_of
from tuneops.page.release_list import Listing
from tuneops.page.release_view import ReleaseView
from tuneops.page.texts import line
from tuneops.project import Project
from tuneops.status import ProjectStatus


@dataclass(frozen=True)
class ProjectView:
    """A project's page; `shown` are its newest release, then the live one if that is another."""

    name: str
    environment: str
    phase: str
    reason: str
    notices: Mapping[str, str]
    shown: tuple[ReleaseView, ...]
    live: int | None
    releases: Listing
    versions: Mapping[str, str]


def project_view(
    status: ProjectStatus,
    project: Project,
    shown: Sequence[ReleaseView],
    releases: Listing,
    now: datetime,
) -> ProjectView:
    """The page of a project."""
    return ProjectView(
        name=status.name,
        environment=environment_of(status.name),
        phase=status.phase,
        reason=line(status.reason),
        notices=_notices(status, now),
        shown=tuple(shown),
        live=project.live,
        releases=releases,
        versions={line(name): line(value) for name, value in project.pins.items()},
    )


def _notices(status: ProjectStatus, now: datetime) -> dict[str, str]:
    found: dict[str, str] = {}
    if status.pin:
        found["Pinned"] = line(str(status.pin))
    if status.held_back:
        found["Held back"] = line(status.held_back)
    if status.rejected:
        found["Rejected"] = line("; ".join(status.rejected))
    if status.preview:
        terms = status.preview
        until = f"until {terms.until:%d %b %H:%M} UTC" if terms.until > now else "going"
        found["Preview"] = f"of pull request {terms.number}, {until}"
    return found

"""What a preview shares with its project: what it resolves, what it trains, what it is held to."""

import logging

from tuneops import documents
from tuneops.desired import Desired
from tuneops.names import family, is_preview
from tuneops.previews.reading import read_register
from tuneops.project import Project
from tuneops.release import Release
from tuneops.services import Services
from tuneops.store import UnreadableError

log = logging.getLogger(__name__)


def seeded(project: Project, services: Services) -> Project:
    """The project as its next release begins; a preview resolves what is open as its project does.

    So both come to the same model, which is trained once.
    """
    if not is_preview(project.name):
        return project
    real = _project(family(project.name), services)
    newest = services.release(real.name, real.current)
    if newest:
        real = real.remember(newest.value)
    return project.replace(
        pins={**project.pins, **real.pins}, trainings=project.trainings or real.trainings
    )


def held_against(project: Project, services: Services) -> tuple[str, int | None]:
    """The project and release whose metrics a new model must not be worse than."""
    if not is_preview(project.name):
        return project.name, project.live
    real = _project(family(project.name), services)
    return real.name, real.live


def shares_job(desired: Desired, release: Release | None, services: Services) -> bool:
    """Whether the job that runs for a release is not its own to cancel.

    It is not while its project or a preview of that waits for the same job; nor is a preview's once
    the pull request is merged.
    """
    if release is None or not release.running_job:
        return False
    if _is_merged(desired):
        return True
    real = family(release.project)
    others = {real, *_previews(real, services)} - {release.project}
    return any(_waits_for(release.running_job, name, services) for name in sorted(others))


def _is_merged(desired: Desired) -> bool:
    return desired.preview is not None and desired.preview.merged


def _previews(project: str, services: Services) -> list[str]:
    """The project's previews; none while that can't be read, which holds up no project."""
    try:
        return read_register(services.store, services.environment).of_project(project)
    except UnreadableError as error:
        log.error("%s", error)
        return []


def _waits_for(job: str, name: str, services: Services) -> bool:
    """Whether its newest release waits for the job; what can't be read may wait for any.

    What is itself on its way out does not, unless a merge leaves the job to the project, nor does
    one for which it has run too long: else two that end at once would leave it to each other.
    """
    try:
        wanted = services.store.read(documents.desired(name), Desired)
        if wanted and wanted.value.config is None and not _is_merged(wanted.value):
            return False
        newest = services.release(name, _project(name, services).current)
    except UnreadableError as error:
        log.error("%s", error)
        return True
    return newest is not None and newest.value.active_job == job and not newest.value.overran


def _project(name: str, services: Services) -> Project:
    stored = services.store.read(documents.project(name), Project)
    return stored.value if stored else Project(name=name)

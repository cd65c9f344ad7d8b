"""What another policy would make of the projects whose configs stay as they are."""

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from tuneops import documents
from tuneops.desired import Desired
from tuneops.names import environment_of, is_preview
from tuneops.policy import Policy, verdict, violations
from tuneops.project import Project
from tuneops.release import Release
from tuneops.services import Services
from tuneops.store import UnreadableError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Weighed:
    """What the policies before and after do not allow of a project."""

    project: str
    before: tuple[str, ...]
    after: tuple[str, ...]


def weigh(
    before: Policy, after: Policy, but: Collection[str], services: Services, now: datetime
) -> list[Weighed]:
    """All projects of the source that one of the policies forbids, by name, except `but` some.

    Who may change a project forbids nothing that is there.
    """
    region = services.workspace.region if before.allowed_regions or after.allowed_regions else ""

    def found(policy: Policy, wanted: Desired, newest: Release | None) -> tuple[str, ...]:
        if newest and newest.config == wanted.config:
            return verdict(policy, newest, region, now).violations
        return violations(policy, wanted.config, None, region) if wanted.config else ()

    weighed = (
        Weighed(wanted.project, found(before, wanted, newest), found(after, wanted, newest))
        for wanted, newest in _projects(services)
        if wanted.project not in but
    )
    return [each for each in weighed if each.before or each.after]


def _projects(services: Services) -> Iterator[tuple[Desired, Release | None]]:
    """What is desired of each project that the source has, with its newest release."""
    store = services.store
    for name in sorted(documents.desired_projects(store.paths("desired/"))):
        if environment_of(name) != services.environment or is_preview(name):
            continue
        try:
            wanted = store.read(documents.desired(name), Desired)
            project = store.read(documents.project(name), Project)
            newest = services.release(name, project.value.current if project else None)
        except UnreadableError as error:
            log.warning("project %s is not weighed: %s", name, error)
            continue
        if wanted and wanted.value.config and not wanted.value.left:
            yield wanted.value, newest.value if newest else None

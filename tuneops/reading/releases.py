"""A project's releases, the newest first, and the names of all projects."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from pydantic import BaseModel

from tuneops import documents
from tuneops.inheriting import inheriting
from tuneops.reading.asked import project_of
from tuneops.release import Phase, Release
from tuneops.services import Services
from tuneops.store import UnreadableError

MAX_PAGE = 100
SIDE_BY_SIDE = 8


class ReleaseLine(BaseModel):
    """One release in a line; `unreadable` says why its document can't be read, if so.

    `changed` is when it came to its phase, `live_seconds` what it took until it was live, `cost`
    what its training cost in `currency`.
    """

    number: int
    live: bool
    phase: str = ""
    reason: str = ""
    rejected: str = ""
    commit: str = ""
    source: str = ""
    began: datetime | None = None
    changed: datetime | None = None
    live_seconds: float | None = None
    metrics: dict[str, float] = {}
    cost: float | None = None
    currency: str = ""
    unreadable: str = ""


class ReleasePage(BaseModel):
    """Some releases of a project; `next` is the `before` of the page after this one, if any."""

    project: str
    releases: tuple[ReleaseLine, ...]
    next: int | None


class ProjectNames(BaseModel):
    """What all projects are called."""

    projects: tuple[str, ...]


def read_names(services: Services) -> ProjectNames:
    """The names of all projects that git has, or had until lately, by one list."""
    found = documents.desired_projects(services.store.paths(documents.DESIRED))
    return ProjectNames(projects=tuple(sorted(found)))


def read_page(services: Services, name: str, limit: int, before: int | None) -> ReleasePage:
    """The newest releases of a project, or the newest ones below the number `before`.

    Raises:
        NotThereError: there is no such project.
        UnreadableError: the project's document is none of this version.
    """
    project = project_of(services, name)
    newest = project.current or 0
    last = newest if before is None else min(newest, before - 1)
    first = max(1, last - limit + 1)

    def line(number: int) -> ReleaseLine | None:
        live = number == project.live
        try:
            found = services.release(name, number)
        except UnreadableError as error:
            return ReleaseLine(number=number, live=live, unreadable=str(error))
        return _line(found.value, live=live) if found else None

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        lines = list(pool.map(inheriting(line), range(last, first - 1, -1)))
    return ReleasePage(
        project=name,
        releases=tuple(each for each in lines if each),
        next=first if first > 1 and last >= first else None,
    )


def _line(release: Release, *, live: bool) -> ReleaseLine:
    came = release.actuals
    return ReleaseLine(
        number=release.number,
        live=live,
        phase=release.phase,
        reason=release.reason,
        rejected=release.rejected,
        commit=release.commit,
        source=release.source.name,
        began=release.entered(Phase.PREPARING),
        changed=release.entered(release.phase),
        live_seconds=came.live_seconds if came else None,
        metrics=release.metrics.values if release.metrics else {},
        cost=came.cost if came else None,
        currency=came.currency if came else "",
    )

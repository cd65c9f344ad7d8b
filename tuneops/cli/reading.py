"""What commands read of one release of a running TuneOps."""

from urllib.parse import quote

from tuneops.cli.target import Target
from tuneops.reading.asked import LATEST
from tuneops.reading.logs import Log, Of
from tuneops.reading.metrics import ReleaseMetrics
from tuneops.reading.releases import MAX_PAGE, ReleaseLine, ReleasePage
from tuneops.status import ReleaseStatus

LOG_SECONDS = 60


def path_of(project: str, number: int | None = None) -> str:
    """Where a release is read; without a number the newest one."""
    return f"projects/{quote(project, safe='')}/releases/{number or LATEST}"


def release(target: Target, project: str, number: int | None) -> ReleaseStatus:
    """All of one release, the newest one without a number."""
    return target.read(path_of(project, number), ReleaseStatus)


def metrics(target: Target, project: str, number: int | None) -> ReleaseMetrics:
    """What a release's training has logged."""
    return target.read(f"{path_of(project, number)}/metrics", ReleaseMetrics)


def releases(target: Target, project: str, limit: int) -> list[ReleaseLine]:
    """The newest releases of a project, as many as there are up to the limit."""
    path = f"projects/{quote(project, safe='')}/releases"
    found: list[ReleaseLine] = []
    before: dict[str, int] = {}
    while len(found) < limit:
        asked = min(limit - len(found), MAX_PAGE)
        page = target.read(path, ReleasePage, {"limit": asked, **before})
        found += page.releases
        if page.next is None:
            break
        before = {"before": page.next}
    return found


def log(target: Target, project: str, number: int | None, of: Of, after: str) -> Log:
    """The next piece of a log.

    Raises:
        LostError: it may be had later.
        NoAnswerError: it can't be had.
    """
    params = {"of": of.value, "after": after}
    return target.fetch(f"{path_of(project, number)}/logs", Log, params, LOG_SECONDS)

"""The end of a release: what it took is written down, and owed to the pull request it came by."""

import logging
from datetime import datetime

from tuneops import documents
from tuneops.actuals import actuals
from tuneops.azureml import metrics
from tuneops.gitops import final_text
from tuneops.gitops.pull_request_channel import CONCLUDED, PullRequestChannel
from tuneops.message import Message
from tuneops.project import Project
from tuneops.release import Phase, Release
from tuneops.services import Services
from tuneops.store import UnreadableError

log = logging.getLogger(__name__)


def conclude(
    release: Release, before: Release | None, services: Services, now: datetime
) -> Release:
    """The release that has just come to an end, with what it took and the comment that is owed.

    `before` is the release that has been live until now. Only a release that a change of its config
    has led to owes one, and only at its first end.
    """
    if release.phase == Phase.FAILED and release.submitted and release.metrics is None:
        release = _with_metrics(release, services)
    release = release.replace(actuals=actuals(release))
    if not release.answers_change:
        return release
    return release.tell(
        Message(
            key=f"{release.project}:{release.number}:{CONCLUDED}",
            event=CONCLUDED,
            phase=release.phase,
            title=f"{release.project}: release {release.number}",
            text=final_text.section(release, before),
            at=now,
            commit=release.commit,
            path=release.path,
            only=PullRequestChannel.id,
        )
    )


def _with_metrics(release: Release, services: Services) -> Release:
    """With what a failed job logged until then; that it can't be read holds nothing up."""
    try:
        return release.replace(metrics=metrics.read(services.workspace, release.job_name))
    except Exception as error:
        log.warning("metrics of failed job %s: %s", release.job_name, type(error).__name__)
        return release


def live_before(release: Release, services: Services) -> Release | None:
    """The release that has been live until now; one that can't be read is none."""
    try:
        stored = services.store.read(documents.project(release.project), Project)
        number = stored.value.live if stored else None
        found = services.release(release.project, number) if number != release.number else None
    except UnreadableError:
        return None
    return found.value if found else None

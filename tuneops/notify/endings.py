"""The end of a release, as people are told of it. Pure."""

from datetime import datetime

from tuneops.notify import figures, following
from tuneops.notify.messages import tell
from tuneops.notify.model import instead
from tuneops.release import Phase, Release
from tuneops.rollout.record import last_seen


def ended(release: Release, before: Release | None, reason: str, now: datetime) -> Release:
    """The release with word of its end; `before` is the one that has been live until now.

    Nobody is told of one that makes way for another: that one is told of.
    """
    before = before if before and before.phase == Phase.LIVE else None
    if release.phase == Phase.LIVE:
        return _live(release, before, now)
    if release.phase == Phase.FAILED:
        return _failed(release, before, reason, now)
    if release.phase == Phase.RETIRED:
        return _retired(release, reason, now)
    return release


def _live(release: Release, before: Release | None, now: datetime) -> Release:
    serves = f"endpoint {release.endpoint} now answers with {release.deployment_name}"
    seen = f"{serves}{instead(release)}{last_seen(release)}"
    measured = (figures.against_live(release, before), figures.scores(release))
    return tell(
        release,
        "live",
        "; ".join(filter(None, (seen, figures.came(release)))),
        now,
        figure="; ".join(filter(None, measured)),
        following=following.live(release, before),
    )


def _failed(release: Release, before: Release | None, reason: str, now: datetime) -> Release:
    return tell(
        release,
        "failed",
        reason,
        now,
        figure=figures.of_failure(release),
        following=following.failed(release, before),
    )


def _retired(release: Release, reason: str, now: datetime) -> Release:
    return tell(
        release,
        "torn_down",
        f"endpoint {release.endpoint}: {reason}",
        now,
        release.endpoint,
        why=reason,
        following="models and data are kept; putting the config back begins anew",
    )

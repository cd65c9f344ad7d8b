"""A deployment that had traffic a moment ago may still answer requests. Pure."""

from datetime import datetime, timedelta

from tuneops.actions import DeleteDeployment, Wait
from tuneops.observed import SUCCEEDED, Observed
from tuneops.release import Phase, Release

LONGEST = timedelta(seconds=90)
"""A request's time where Azure does not say it, as by the config's default."""
MARGIN = timedelta(seconds=5)
"""For what waits in its queue when the traffic goes."""


def drain(
    action: DeleteDeployment, release: Release, observed: Observed, now: datetime
) -> Wait | None:
    """The wait for the last requests to a deployment that is to be deleted; None when none is left.

    `release` is the project's newest.
    """
    name = action.endpoint or release.endpoint
    endpoints = (observed.endpoint, *observed.stale_endpoints)
    behind = next((each for each in endpoints if each and each.name == name), None)
    found = behind.deployment(action.name) if behind else None
    if found is None or found.state != SUCCEEDED:
        return None
    since = _without_traffic_since(f"{name}/{found.name}", release, observed)
    if since is None:
        return None
    said = found.settings.get("request_settings.request_timeout_ms", "")
    longest = timedelta(milliseconds=int(said)) if said.isdecimal() else LONGEST
    left = since + longest + MARGIN - now
    if left <= timedelta(0):
        return None
    return Wait(f"deployment {found.name} answers its last requests", left.total_seconds())


def _without_traffic_since(place: str, release: Release, observed: Observed) -> datetime | None:
    """When its traffic went at the latest; None when it never had any.

    Traffic that a release had has gone back before it fails, and before the next one begins.
    """
    for superseded in observed.previous:
        if superseded.deployment == place:
            return superseded.at
    own = release.training and place == f"{release.endpoint}/{release.deployment_name}"
    if own and release.phase == Phase.FAILED:
        return release.entered(Phase.FAILED) if release.entered(Phase.SHIFTING) else None
    return release.history[0].at if release.history else None

"""What a release waits for, and when that has taken too long. Pure."""

from datetime import datetime, timedelta

from tuneops.actions import CreateDeployment, CreateEndpoint, Effect, ShiftTraffic, SubmitJob, Wait
from tuneops.notify import turns
from tuneops.notify.following import GOES_ON
from tuneops.release import Release, Waiting

SLOW = timedelta(minutes=30)
"""What Azure takes longer for than this, people are told of."""

_QUEUED = timedelta(hours=1)
_ODD = timedelta(minutes=15)
JOB_PATIENCE = {
    **dict.fromkeys(("NotStarted", "Queued", "Preparing", "Provisioning", "Starting"), _QUEUED),
    **dict.fromkeys(("NotResponding", "Paused", "Unknown", "CancelRequested"), _ODD),
}
"""How long a job may be in a status before people are told; one that runs may do so."""


def begun(action: Effect, before: Release | None, release: Release | None) -> Wait | None:
    """What is waited for once this was begun, if a look right after it would find it under way."""
    if before is None or release is None:
        return None
    if isinstance(action, SubmitJob):
        return Wait(f"job {release.job_name} was submitted", patience=_QUEUED)
    if isinstance(action, CreateEndpoint) and not action.ahead:
        return Wait(f"endpoint {release.endpoint} is being created", patience=SLOW)
    if isinstance(action, CreateDeployment) and release.provisioning == before.provisioning:
        return Wait(f"deployment {release.deployment_name} is being created", patience=SLOW)
    if isinstance(action, ShiftTraffic):
        return Wait(f"traffic of endpoint {release.endpoint} is being shifted", patience=SLOW)
    return None


def wait(release: Release, action: Wait, now: datetime) -> Release:
    """The release with what it waits for; people are told once that outlasts their patience."""
    waiting = release.waiting
    if waiting is None or (waiting.about or waiting.reason) != (action.about or action.reason):
        waiting = Waiting(reason=action.reason, since=now, about=action.about)
    waiting = waiting.replace(reason=action.reason)
    if action.progress:
        release = release.replace(progress=action.progress)
    patience = action.patience
    if patience is not None and not waiting.told and now - waiting.since >= patience:
        waiting = waiting.replace(told=True)
        text = f"{waiting.reason} since {waiting.since:%Y-%m-%d %H:%M} UTC"
        release = turns.held(release, text, now, waiting.since.isoformat(), GOES_ON)
    return release.replace(waiting=waiting)

"""A training job that has run for longer than it may is cancelled, and its release fails. Pure.

That is noted before the job is cancelled: so whoever finds it cancelled, after a crash, knows why.
"""

from datetime import datetime, timedelta

from tuneops.actions import Action, CancelJob, Fail, NoteOverrun, Wait
from tuneops.observed import Job, Observed
from tuneops.patience import JOB_PATIENCE
from tuneops.release import Phase, Release


def may_overrun(release: Release, job: Job, now: datetime) -> bool:
    """Whether a running job was submitted so long ago that it may have run for too long."""
    waits_for_it = release.phase == Phase.TRAINING and job.running and not release.overran
    return waits_for_it and (job.created is None or now - job.created >= _limit(release))


def overrun(release: Release, observed: Observed, now: datetime) -> Action | None:
    """What ends a job that has run for too long; None while it has not, or if it came to its end.

    Where others wait for the job, the release alone ends: it is for them to cancel it.
    """
    job = observed.job
    if job is None or not (job.running or job.unsuccessful):
        return None
    if not release.overran:
        over = job.running and job.began is not None and now - job.began >= _limit(release)
        return NoteOverrun() if over else None
    hours = release.config.training.timeout_hours
    reason = f"job {release.job_name} ran for longer than training.timeout_hours ({hours:g})"
    if job.unsuccessful:
        return Fail(reason)
    if release.cancelled_job:
        return Wait(f"{reason}; it is being cancelled", patience=JOB_PATIENCE["CancelRequested"])
    if observed.shares_job:
        return Fail(f"{reason}; it runs on for others that wait for it")
    return CancelJob()


def _limit(release: Release) -> timedelta:
    return timedelta(hours=release.config.training.timeout_hours)

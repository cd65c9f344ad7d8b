"""Training, evaluating and registering. Pure."""

from datetime import datetime, timedelta

from tuneops.actions import (
    Action,
    Advance,
    CreateEndpoint,
    Fail,
    KeepChecks,
    NextAttempt,
    NoteSubmission,
    ReadMetrics,
    RegisterModel,
    SubmitJob,
    Wait,
)
from tuneops.evaluation.checks import failures
from tuneops.evaluation.gate import missing, passed, verdict
from tuneops.observed import Observed
from tuneops.patience import JOB_PATIENCE
from tuneops.phases.overrunning import overrun
from tuneops.release import Metrics, Phase, Release

METRICS_PATIENCE = timedelta(seconds=60)
METRICS_PAUSE = timedelta(seconds=15)


def unnoted(release: Release, observed: Observed) -> NoteSubmission | None:
    """What is done first about a job of this release that it does not know it has submitted.

    Whatever becomes of the job, people have to have been told of it.
    """
    job = observed.job
    is_own = job is not None and job.release == str(release.number)
    if release.phase == Phase.TRAINING and is_own and not release.submitted:
        return NoteSubmission()
    return None


def train(release: Release, observed: Observed, now: datetime) -> Action:
    """Submit the job once, and wait for its end.

    An endpoint that is not there is begun before that: it is ready when the job ends, and one that
    Azure refuses is known of before anything costs money.
    """
    job = observed.job
    if job is None:
        lacks = observed.endpoint is None and not release.endpoint_begun
        return CreateEndpoint(ahead=True) if lacks else SubmitJob()
    if over := overrun(release, observed, now):
        return over
    if job.unsuccessful and job.release != str(release.number):
        return NextAttempt()
    if job.unsuccessful:
        return Fail(
            f"job {release.job_name} {job.status.lower()}: {job.error or 'no reason given'}"
        )
    if job.running:
        patience = JOB_PATIENCE.get(job.status)
        reason = f"job {release.job_name} is {job.status}"
        return Wait(reason, patience=patience, progress=observed.progress)
    return Advance(Phase.EVALUATING, f"job {release.job_name} completed")


def evaluate(release: Release, observed: Observed, now: datetime) -> Action:
    """Weigh the metrics of the job."""
    if release.metrics is None:
        return ReadMetrics()
    if waiting := _await_metrics(release, release.metrics, now):
        return waiting
    checks = verdict(release, observed.live, registered=observed.model_registered)
    if checks != release.checks:
        return KeepChecks(checks)
    if against := failures(checks):
        return Fail("evaluation: " + "; ".join(against))
    return Advance(Phase.REGISTERING, passed(checks))


def _await_metrics(release: Release, metrics: Metrics, now: datetime) -> Action | None:
    """The last metrics of a job may be seen a little after its end."""
    absent = missing(metrics, release.config.evaluation)
    since = release.entered(Phase.EVALUATING) or now
    if not absent or now - since >= METRICS_PATIENCE:
        return None
    if metrics.read_at and now - metrics.read_at < METRICS_PAUSE:
        return Wait(f"{', '.join(absent)} may still come", METRICS_PAUSE.total_seconds())
    return ReadMetrics()


def register(release: Release, observed: Observed, now: datetime) -> Action:
    """Register the model, unless it is there."""
    if not observed.model_registered:
        return RegisterModel()
    return Advance(Phase.DEPLOYING, registered(release))


def registered(release: Release) -> str:
    """That the model is there."""
    return f"model {release.model_name}:{release.model_version} is registered"

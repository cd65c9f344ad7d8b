"""The decision: from what should be and what is, the one next thing to do.

Pure: no I/O, no clock. All transitions of a release stand in this module; `act` does what it says.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from tuneops.actions import (
    Action,
    AdoptModel,
    Advance,
    CancelJob,
    CreateCluster,
    CreateDeployment,
    CreateEndpoint,
    DeleteDeployment,
    DeleteEndpoint,
    Fail,
    Idle,
    KeepChecks,
    NextAttempt,
    NextDataAttempt,
    PlanTraining,
    PrepareData,
    PromoteRelease,
    ReadMetrics,
    RegisterData,
    RegisterModel,
    ReleaseNodes,
    RepairDeployment,
    RepairEndpoint,
    ReportBaseModel,
    RunSmokeTest,
    ScaleCluster,
    ShiftTraffic,
    StartRelease,
    SubmitDataJob,
    SubmitJob,
    UpdateEndpoint,
    Wait,
)
from tuneops.config import ProjectConfig
from tuneops.desired import Desired
from tuneops.drift import is_known
from tuneops.evaluation.checks import failures
from tuneops.evaluation.gate import missing, passed, verdict
from tuneops.healing import on_drift
from tuneops.observed import (
    CANCELED,
    DELETING,
    FAILED,
    SUCCEEDED,
    Cluster,
    Deployment,
    Endpoint,
    Observed,
)
from tuneops.permission import permitted, thaw
from tuneops.release import Metrics, Phase, Release
from tuneops.rollout.progress import Progress
from tuneops.rollout.steps import onward, take_back, under_way

SMOKE_PAUSE = timedelta(seconds=5)
MAX_REPAIRS = 2
QUEUED = timedelta(hours=1)
"""How long a job may wait for compute before people are told; what else takes long, below."""
SLOW = timedelta(minutes=30)
ODD = timedelta(minutes=15)
LOOKS_AGAIN = timedelta(hours=1)
METRICS_PATIENCE = timedelta(seconds=60)
METRICS_PAUSE = timedelta(seconds=15)


def decide(desired: Desired, release: Release | None, observed: Observed, now: datetime) -> Action:
    """The next action for a project.

    `release` is the project's newest, None before the first. `now` is an aware time. A pin is an
    emergency, which no freeze holds up: it trains nothing.
    """
    if desired.adopts is not None:
        observed = replace(observed, verdict=replace(observed.verdict, freeze=None))
    return permitted(_next(desired, release, observed, now), observed.verdict, now)


def _next(desired: Desired, release: Release | None, observed: Observed, now: datetime) -> Action:
    """The next action, as if everything were allowed; a freeze alone has its say before that.

    While it lasts, what is under way is not made to wait for what may not begin.
    """
    if desired.config is None:
        return _retire(desired, release, observed)
    if desired.config.suspend:
        return Idle(f"suspended by {desired.path}")
    if release and release.phase == Phase.FAILED and (back := take_back(release, observed)):
        return back
    rejected = bool(observed.rejected) and not observed.retried
    if release is None or release.phase in (Phase.RETIRED, Phase.SUPERSEDED):
        if rejected:
            return Idle(observed.rejected)
        return StartRelease() if desired.source else Idle("waiting for data")
    freeze = observed.verdict.freeze
    known = desired.source is not None and not rejected
    outdated = known and _is_outdated(release, desired, observed)
    if outdated and not freeze:
        successor = _supersede(desired, release, observed)
        if successor is not None:
            return successor
    action = _drifted(desired.config, release, observed, now) or _BY_PHASE[release.phase](
        release, observed, now
    )
    return thaw(freeze, now) if freeze and outdated and isinstance(action, Idle) else action


def look_after(desired: Desired, live: Release, observed: Observed, now: datetime) -> Action:
    """The next action for the live release when the newest came to nothing: it is kept as it is.

    `observed` is what was seen of the live one. `now` is an aware time.
    """
    config = desired.config
    if config is None or config.suspend:
        return Idle("live")
    return on_drift(config.drift, live, observed, now, newest=False) or Idle("live")


def _drifted(
    config: ProjectConfig, release: Release, observed: Observed, now: datetime
) -> Action | None:
    """What git says now of drift counts, not what it said when the release was made."""
    if release.phase != Phase.LIVE or observed.live_release != release.number:
        return None
    return on_drift(config.drift, release, observed, now)


def _is_outdated(release: Release, desired: Desired, observed: Observed) -> bool:
    """Whether something else is wanted than what the release is made of."""
    if observed.retried and release.phase == Phase.FAILED:
        return True
    if release.forbidden and not observed.verdict.violations:
        return True
    if desired.adopts is not None:
        itself = desired.adopts == release.number and release.phase != Phase.FAILED
        return not itself and desired.adopts != release.adopts
    if desired.fingerprint != release.fingerprint:
        return True
    if release.forbidden:
        return False
    follows = release.config.model.follow == "latest"
    return follows and release.phase.settled and _has_newer_base(release, observed)


def _has_newer_base(release: Release, observed: Observed) -> bool:
    newest, training = observed.newest_base_model, release.training
    return bool(newest) and training is not None and newest != training.base_model


def _retire(desired: Desired, release: Release | None, observed: Observed) -> Action:
    """The config file is gone from git: take down what serves, keep models and data."""
    if release is None or release.phase == Phase.RETIRED:
        return Idle("the config is not in git")
    if back := take_back(release, observed):
        return back
    last = desired.removed or release.config
    if last.deletion_protection:
        return Wait(
            f"{desired.path} was removed from git, but has deletion_protection: put it back and "
            "set that to false first",
            LOOKS_AGAIN.total_seconds(),
            patience=timedelta(0),
        )
    if _job_to_cancel(release, observed):
        return CancelJob()
    seen = (observed.endpoint, *observed.stale_endpoints)
    endpoints = [e for e in seen if e and is_known(release, e)]
    if endpoints and last.on_removal == "delete":
        return _delete_endpoint(endpoints[0])
    cluster = observed.cluster
    if cluster and cluster.ours and cluster.min_nodes and cluster.state == SUCCEEDED:
        return ReleaseNodes()
    kept = f"; endpoint {endpoints[0].name} is retained" if endpoints else ""
    return Advance(Phase.RETIRED, f"the config was removed from git{kept}")


def _supersede(desired: Desired, release: Release, observed: Observed) -> Action | None:
    """Make way for what is desired now; None to let a release under way finish first."""
    if release.phase == Phase.LIVE and observed.live_release != release.number:
        return None
    if release.phase.ended:
        return StartRelease()
    finishes = desired.config is not None and desired.config.in_flight == "finish"
    if release.phase == Phase.SHIFTING:
        return _step_aside(desired, release, observed, finishes=finishes)
    if finishes:
        return None
    if _job_to_cancel(release, observed) and not release.trains_like(desired):
        return CancelJob()
    return _make_way(desired)


def _make_way(desired: Desired) -> Action:
    if desired.adopts is not None:
        return Advance(Phase.SUPERSEDED, f"the project is pinned to release {desired.adopts}")
    return Advance(Phase.SUPERSEDED, f"replaced by {desired.path} at {desired.commit[:8]}")


def _step_aside(
    desired: Desired, release: Release, observed: Observed, *, finishes: bool
) -> Action | None:
    """End a rollout at one of its steps; None when it goes on, as a pin never lets it.

    The last shift of traffic is finished, and so is what is being aborted. One that is held has no
    end of its own, so nothing waits for that.
    """
    progress = release.rollout or Progress()
    if finishes and desired.adopts is None and not progress.held:
        return None
    if progress.aborted or under_way(release, observed) is None:
        return None
    return take_back(release, observed) or _make_way(desired)


def _job_to_cancel(release: Release, observed: Observed) -> bool:
    return (
        bool(release.active_job)
        and not release.cancelled_job
        and observed.job is not None
        and observed.job.running
    )


def _prepare(release: Release, observed: Observed, now: datetime) -> Action:
    if release.adopts is not None:
        return AdoptModel(release.adopts)
    if release.data is None:
        return _await_data_job(release, observed) if release.data_job else PrepareData()
    if not release.data.assets:
        return RegisterData()
    if release.training is None:
        return PlanTraining()
    if not release.config.compute.serverless and (pending := _await_cluster(release, observed)):
        return pending
    rows = f"{release.data.train_rows} training and {release.data.test_rows} test rows"
    return Advance(Phase.TRAINING, f"data {release.data.digest} is ready: {rows}")


def _await_data_job(release: Release, observed: Observed) -> Action:
    """Large data is prepared by a job; what it has left is found by preparing once more."""
    job, name = observed.job, release.data_job_name
    if job is None:
        serverless = release.config.compute.serverless
        return (None if serverless else _await_cluster(release, observed)) or SubmitDataJob()
    if job.running:
        return Wait(f"job {name} is {job.status}", patience=_JOB_PATIENCE.get(job.status))
    if not job.unsuccessful:
        return PrepareData()
    if job.release != str(release.number):
        return NextDataAttempt()
    return Fail(f"job {name}, which prepares the data, {job.status.lower()}: {job.error}")


def _await_cluster(release: Release, observed: Observed) -> Action | None:
    """What the cluster still needs; None when a job can be submitted to it."""
    cluster = observed.cluster
    if cluster is None:
        if release.config.compute.cluster:
            return CreateCluster()
        return Fail(f"compute {release.config.compute.name} has gone")
    if cluster.state == SUCCEEDED:
        return ScaleCluster() if _scales_otherwise(cluster, release) else None
    if cluster.state in (FAILED, CANCELED):
        return Fail(
            f"compute {cluster.name} failed to provision: {cluster.error or 'no reason given'}; "
            "repair or delete it, or set compute.name to another one"
        )
    return Wait(f"compute {cluster.name} is {cluster.state}", patience=SLOW)


def _scales_otherwise(cluster: Cluster, release: Release) -> bool:
    """Whether a cluster that we created has another scale than the config describes."""
    wanted = release.config.compute.cluster
    if wanted is None or not cluster.ours:
        return False
    return (cluster.min_nodes, cluster.max_nodes, cluster.idle_seconds) != (
        wanted.min_instances,
        wanted.max_instances,
        wanted.idle_time_before_scale_down,
    )


def _train(release: Release, observed: Observed, now: datetime) -> Action:
    job = observed.job
    if job is None:
        return SubmitJob()
    if job.unsuccessful and job.release != str(release.number):
        return NextAttempt()
    if job.unsuccessful:
        return Fail(
            f"job {release.job_name} {job.status.lower()}: {job.error or 'no reason given'}"
        )
    if job.running:
        patience = _JOB_PATIENCE.get(job.status)
        return Wait(f"job {release.job_name} is {job.status}", patience=patience)
    return Advance(Phase.EVALUATING, f"job {release.job_name} completed")


def _evaluate(release: Release, observed: Observed, now: datetime) -> Action:
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


def _register(release: Release, observed: Observed, now: datetime) -> Action:
    if not observed.model_registered:
        return RegisterModel()
    return Advance(
        Phase.DEPLOYING, f"model {release.model_name}:{release.model_version} is registered"
    )


def _deploy(release: Release, observed: Observed, now: datetime) -> Action:
    endpoint = observed.endpoint
    if endpoint is None:
        return CreateEndpoint()
    if not is_known(release, endpoint):
        return Fail(f"endpoint {endpoint.name} exists and was not created by this project")
    if endpoint.state != SUCCEEDED:
        return _await_endpoint(release, endpoint)
    if _differs(endpoint, release):
        return UpdateEndpoint()
    deployment = endpoint.deployment(release.deployment_name)
    if deployment is None:
        return _make_room(observed) or CreateDeployment()
    serves = endpoint.takes_traffic(deployment.name) or (
        f"{endpoint.name}/{deployment.name}" == observed.live_deployment
    )
    return _await_deployment(release, deployment, serves=serves)


def _await_endpoint(release: Release, endpoint: Endpoint) -> Action:
    if not endpoint.broken:
        return Wait(f"endpoint {endpoint.name} is {endpoint.state}", patience=SLOW)
    if release.repairs < MAX_REPAIRS:
        return RepairEndpoint()
    return Fail(
        f"endpoint {endpoint.name} is {endpoint.state}: see why in the studio, then repair or "
        "delete it, or set endpoint.name to another name"
    )


def _make_room(observed: Observed) -> Action | None:
    """Before a deployment is added, those without traffic go: they take quota for nothing.

    What is live stays, whoever took its traffic away: the new one may fail.
    """
    for deployment in observed.dispensable:
        if deployment.settled:
            return DeleteDeployment(deployment.name)
    return Wait(_GOING, patience=SLOW) if observed.dispensable else None


def _differs(endpoint: Endpoint, release: Release) -> bool:
    """Whether the endpoint has other settings than the config, or has lost tags of ours."""
    wanted = release.config.endpoint
    settings = (endpoint.auth_mode, endpoint.public_network_access)
    tags = {name.lower(): value for name, value in endpoint.tags.items()}
    same = settings == (wanted.auth_mode, wanted.public_network_access)
    return (
        bool(endpoint.lost_tags)
        or not same
        or any(tags.get(name.lower()) != value for name, value in wanted.tags.items())
    )


def _await_deployment(release: Release, deployment: Deployment, *, serves: bool) -> Action:
    """What failed under an earlier release goes, unless it `serves` all the same."""
    if not deployment.settled:
        return Wait(f"deployment {deployment.name} is {deployment.state}", patience=SLOW)
    if deployment.state == SUCCEEDED:
        return Advance(Phase.TESTING, f"deployment {deployment.name} is ready")
    if deployment.release != str(release.number) and not serves:
        return DeleteDeployment(deployment.name)
    if (deployment.transient or serves) and release.repairs < MAX_REPAIRS:
        return RepairDeployment()
    return Fail(f"deployment {deployment.name} failed: {deployment.error or 'no reason given'}")


def _test(release: Release, observed: Observed, now: datetime) -> Action:
    smoke, settings = release.smoke, release.config.smoke_test
    asked = min(settings.samples, release.data.questions if release.data else 1)
    if len(smoke.answers) >= asked:
        slowest = max(answer.seconds for answer in smoke.answers)
        questions = "1 question" if asked == 1 else f"{asked} questions"
        return Advance(
            Phase.SHIFTING, f"the smoke test answered {questions} in at most {slowest:.1f} s"
        )
    failed = smoke.failed
    if failed is None:
        return RunSmokeTest()
    if smoke.attempts >= settings.attempts:
        said = f"status {failed.status}, answer {failed.answer[:200]!r}"
        return Fail(f"smoke test: {'; '.join(failed.failures) or 'failed'} ({said})")
    if now - failed.at < SMOKE_PAUSE:
        return Wait("the smoke test is tried again", SMOKE_PAUSE.total_seconds())
    return RunSmokeTest()


def _shift(release: Release, observed: Observed, now: datetime) -> Action:
    endpoint = observed.endpoint
    if endpoint is None or endpoint.deployment(release.deployment_name) is None:
        if release.rollout and release.rollout.aborted:
            return Fail(release.rollout.aborted)
        return Advance(Phase.DEPLOYING, f"deployment {release.deployment_name} has gone")
    if endpoint.state != SUCCEEDED:
        return _await_endpoint(release, endpoint)
    if step := onward(release, observed, endpoint, now):
        return step
    if dict(endpoint.traffic) == {release.deployment_name: 100}:
        return Advance(Phase.LIVE, f"all traffic goes to {release.deployment_name}")
    return ShiftTraffic()


def _live(release: Release, observed: Observed, now: datetime) -> Action:
    if observed.live_release != release.number:
        return PromoteRelease()
    doomed = [d for d in observed.dispensable if d.name != release.deployment_name]
    stale = [endpoint for endpoint in observed.stale_endpoints if is_known(release, endpoint)]
    tear_down = _tear_down(doomed, stale, _previous_kept_until(release, now), now, _KEPT)
    return tear_down or _report_newer_base(release, observed)


def _previous_kept_until(live: Release, now: datetime) -> datetime:
    keep = timedelta(minutes=live.config.rollout.keep_previous_minutes)
    return (live.entered(Phase.LIVE) or now) + keep


def _report_newer_base(release: Release, observed: Observed) -> Action:
    if _has_newer_base(release, observed) and (
        release.reported_base_model != observed.newest_base_model
    ):
        return ReportBaseModel(observed.newest_base_model)
    return Idle("live")


def _failed(release: Release, observed: Observed, now: datetime) -> Action:
    """Its deployment goes in its time, what the live one has superseded in that one's."""
    keep = timedelta(minutes=release.config.rollout.keep_failed_for_minutes)
    until = (release.entered(Phase.FAILED) or now) + keep
    kept = f"{release.reason}; its deployment is kept until {until:%Y-%m-%d %H:%M} UTC"
    name = release.deployment_name if release.training else ""
    own = [d for d in observed.dispensable if d.name == name]
    others = [d for d in observed.dispensable if d.name != name]
    others_until = _previous_kept_until(observed.live, now) if observed.live else now
    found = (
        _tear_down(own, [], until, now, kept),
        _tear_down(others, [], others_until, now, _KEPT),
    )
    due = [action for action in found if action]
    return min(due, key=_pause) if due else Idle(release.reason)


def _pause(action: Action) -> float:
    """The seconds that an action waits, none for what is to be done now."""
    return (action.seconds or 0.0) if isinstance(action, Wait) else -1.0


def _tear_down(
    doomed: list[Deployment], stale: list[Endpoint], until: datetime, now: datetime, kept: str
) -> Action | None:
    """From `until` on, delete deployments without traffic and endpoints of old names."""
    if not doomed and not stale:
        return None
    if now < until:
        return Wait(kept, (until - now).total_seconds())
    for deployment in doomed:
        if deployment.settled:
            return DeleteDeployment(deployment.name)
    if stale:
        return _delete_endpoint(stale[0])
    return Wait(_GOING, patience=SLOW)


def _delete_endpoint(endpoint: Endpoint) -> Action:
    if endpoint.state == DELETING:
        return Wait(f"endpoint {endpoint.name} is being deleted", patience=SLOW)
    return DeleteEndpoint(endpoint.name)


_GOING = "superseded deployments are going"
_KEPT = "what is superseded is kept for a while"

_JOB_PATIENCE = {
    **dict.fromkeys(("NotStarted", "Queued", "Preparing", "Provisioning", "Starting"), QUEUED),
    **dict.fromkeys(("NotResponding", "Paused", "Unknown", "CancelRequested"), ODD),
}
"""By the status of a job; one that runs may do so."""

_BY_PHASE: dict[Phase, Callable[[Release, Observed, datetime], Action]] = {
    Phase.PREPARING: _prepare,
    Phase.TRAINING: _train,
    Phase.EVALUATING: _evaluate,
    Phase.REGISTERING: _register,
    Phase.DEPLOYING: _deploy,
    Phase.TESTING: _test,
    Phase.SHIFTING: _shift,
    Phase.LIVE: _live,
    Phase.FAILED: _failed,
}

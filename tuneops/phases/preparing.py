"""Preparing: data, training plan and cluster. Pure."""

from datetime import datetime

from tuneops.actions import (
    Action,
    AdoptModel,
    Advance,
    CreateCluster,
    Fail,
    NextDataAttempt,
    PlanTraining,
    PrepareData,
    RegisterData,
    ScaleCluster,
    SubmitDataJob,
    Wait,
)
from tuneops.observed import CANCELED, FAILED, SUCCEEDED, Cluster, Observed
from tuneops.patience import JOB_PATIENCE, SLOW
from tuneops.phases.behaving import read_first
from tuneops.release import Phase, Release


def prepare(release: Release, observed: Observed, now: datetime) -> Action:
    """Data, its assets, the training plan and the cluster, in this order."""
    if release.adopts is not None:
        return AdoptModel(release.adopts)
    if release.data is None:
        return _await_data_job(release, observed) if release.data_job else PrepareData()
    if not release.data.assets:
        return RegisterData()
    if release.training is None:
        return PlanTraining()
    if pending := read_first(release, observed):
        return pending
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
        return Wait(f"job {name} is {job.status}", patience=JOB_PATIENCE.get(job.status))
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

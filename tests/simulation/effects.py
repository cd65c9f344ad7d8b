"""What `tuneops.act` does, on the model of Azure: each action's effect, and the release after."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.simulation import asking, consent, machines, promises, provisioning
from tests.simulation.azure import BusyError, ViolationError
from tests.simulation.world import World
from tuneops import actions, healing, names
from tuneops.analysis import DeploymentFigures
from tuneops.config import TIMEOUT_HOURS
from tuneops.difference import Part
from tuneops.observed import Cluster, Endpoint, Job
from tuneops.prepared import DataJob, PreparedData
from tuneops.release import Metrics, Phase, Release, SampleAnswer, TrainingPlan
from tuneops.rollout import record

Effect = Callable[[World, Any, Release], Release]


def advance(world: World, action: actions.Advance, release: Release) -> Release:
    if action.phase == Phase.LIVE:
        consent.may_be_live(world, release)
    if action.phase == Phase.DEPLOYING:
        consent.begins_anew(world, release)
    return release.advance(action.phase, world.now, action.reason)


def fail(world: World, action: actions.Fail, release: Release) -> Release:
    failed = release.advance(Phase.FAILED, world.now, action.reason)
    return failed.replace(forbidden=action.by_policy)


def prepare_data(world: World, action: Any, release: Release) -> Release:
    """Every third version of the data is so large that a job has to prepare it."""
    job = world.azure.jobs.get(release.data_job_name) if release.data_job else None
    digest = names.digest(release.source.version)
    if int(release.source.version) % 3 == 2 and (job is None or job.status != "Completed"):
        return release.replace(data_job=DataJob(key=digest))
    data = PreparedData(digest=digest, folder="f", train_rows=9, test_rows=1)
    return release.replace(data=data)


def next_data_attempt(world: World, action: Any, release: Release) -> Release:
    job = release.data_job
    assert job is not None
    return release.replace(data_job=job.replace(attempt=job.attempt + 1))


def submit_data_job(world: World, action: Any, release: Release) -> Release:
    world.azure.jobs.setdefault(release.data_job_name, Job("NotStarted", str(release.number)))
    return release


def register_data(world: World, action: Any, release: Release) -> Release:
    assert release.data is not None
    return release.replace(data=release.data.replace(assets={"train": "a"}))


def plan_training(world: World, action: Any, release: Release) -> Release:
    assert release.data is not None
    base = release.pins.base_model or world.newest_base
    values = release.config.training.parameters.given()
    digest = names.digest(base, release.data.digest, values)
    return release.replace(
        training=TrainingPlan(base_model=base, component="c", parameters={}, digest=digest)
    )


def create_cluster(world: World, action: Any, release: Release) -> Release:
    if world.azure.cluster is None:
        world.azure.cluster = _cluster(release, "Creating")
    return release


def scale_cluster(world: World, action: Any, release: Release) -> Release:
    world.azure.cluster = _cluster(release, "Updating")
    return release


def release_nodes(world: World, action: Any, release: Release) -> Release:
    cluster = world.azure.cluster
    assert cluster is not None
    world.azure.cluster = replace(cluster, state="Updating", min_nodes=0)
    return release


def _cluster(release: Release, state: str) -> Cluster:
    spec = release.config.compute.cluster
    assert spec is not None
    return Cluster(
        "gpu-cluster",
        state,
        min_nodes=spec.min_instances,
        max_nodes=spec.max_instances,
        idle_seconds=spec.idle_time_before_scale_down,
        ours=True,
    )


def submit_job(world: World, action: Any, release: Release) -> Release:
    name = release.job_name
    promises.one_job_for_a_digest(world, release)
    world.azure.jobs.setdefault(name, Job("NotStarted", str(release.number)))
    if release.config.training.timeout_hours != TIMEOUT_HOURS and release.plan.attempt == 1:
        world.azure.endless.add(name)
    return release.link(job=f"https://studio/{name}")


def note_submission(world: World, action: Any, release: Release) -> Release:
    return release.link(job=f"https://studio/{release.job_name}")


def next_attempt(world: World, action: Any, release: Release) -> Release:
    plan = release.plan
    return release.replace(training=plan.replace(attempt=plan.attempt + 1))


def note_overrun(world: World, action: Any, release: Release) -> Release:
    return release.replace(overran=True)


def cancel_job(world: World, action: Any, release: Release) -> Release:
    world.azure.cancel(release.running_job)
    return release.without_job()


def read_metrics(world: World, action: Any, release: Release) -> Release:
    """They come late now and then."""
    late = not world.calm and world.chance.random() < 0.2
    loss = 1.0 + int(release.plan.digest, 16) % 3
    values = {} if late else {"eval_loss": loss}
    return release.replace(metrics=Metrics(values=values, read_at=world.now))


def keep_checks(world: World, action: actions.KeepChecks, release: Release) -> Release:
    return release.replace(checks=action.checks)


def adopt_model(world: World, action: Any, release: Release) -> Release:
    if release.plan.digest not in world.azure.models:
        raise ViolationError("a model is adopted that was never registered")
    return release.advance(Phase.REGISTERING, world.now, "a pin brings its model")


def register_model(world: World, action: Any, release: Release) -> Release:
    promises.model_is_good(world, release)
    world.azure.models.add(release.plan.digest)
    return release.advance(Phase.DEPLOYING, world.now, "the model is registered")


def create_endpoint(world: World, action: Any, release: Release) -> Release:
    name = release.endpoint
    if name in world.azure.endpoints:
        raise BusyError(name)
    auth_mode = release.config.endpoint.auth_mode
    world.azure.endpoints[name] = Endpoint(name, "Creating", auth_mode=auth_mode)
    return release.replace(endpoint_begun=True)


def update_endpoint(world: World, action: Any, release: Release) -> Release:
    auth_mode = release.config.endpoint.auth_mode
    world.azure.change(release.endpoint, auth_mode=auth_mode, ours=True, lost_tags=())
    return release


def repair_endpoint(world: World, action: Any, release: Release) -> Release:
    return update_endpoint(world, action, release).replace(repairs=release.repairs + 1)


def run_smoke_test(world: World, action: Any, release: Release) -> Release:
    """What is broken answers nothing, nor does what has gone or is not ready."""
    asked = (release.endpoint, release.deployment_name)
    endpoint = world.azure.endpoints.get(release.endpoint)
    deployment = endpoint.deployment(release.deployment_name) if endpoint else None
    there = deployment is not None and deployment.state == "Succeeded"
    there = there and asked not in world.azure.broken
    passed = there and (world.calm or world.chance.random() < 0.8)
    if passed:
        world.azure.passed.add(asked)
    answer = SampleAnswer(
        passed=passed,
        status=200 if there else 404,
        seconds=1,
        at=world.now,
        question="q",
        request="{}",
        answer="a",
    )
    return release.replace(smoke=release.smoke.add(answer))


def shift_traffic(world: World, action: Any, release: Release) -> Release:
    promises.every_step_is_passed(world, release)
    consent.may_have(world, release, 100)
    world.azure.share(release.endpoint, {release.deployment_name: 100}, {})
    return release


def share_traffic(world: World, action: actions.ShareTraffic, release: Release) -> Release:
    promises.live_keeps_the_rest(world, release, action)
    if action.share:
        consent.may_have(world, release, 0 if action.mirrored else action.share)
    given = {release.deployment_name: action.share} if action.share else {}
    traffic = {} if action.mirrored else given
    rest = {action.live: 100 - sum(traffic.values())}
    world.azure.share(release.endpoint, {**rest, **traffic}, given if action.mirrored else {})
    return record.shared(release, action, world.now)


def begin_step(world: World, action: actions.BeginStep, release: Release) -> Release:
    return record.begun(release, action, world.now)


def read_figures(world: World, action: actions.ReadFigures, release: Release) -> Release:
    """Mostly good ones; those of a failing deployment, or of few requests, now and then."""
    choice = 1.0 if world.calm else world.chance.random()
    new = {200: 50, 500: 50} if choice < 0.1 else {200: 2} if choice < 0.6 else {200: 100}
    figures = {
        name: DeploymentFigures(deployment=name, minutes=1, statuses=statuses)
        for name, statuses in ((release.deployment_name, new), (action.live, {200: 100}))
    }
    return record.judged(release, action, figures)


def next_step(world: World, action: Any, release: Release) -> Release:
    return record.passed(release)


def abort(world: World, action: actions.Abort, release: Release) -> Release:
    return record.aborted(release, action)


def delete_deployment(world: World, action: actions.DeleteDeployment, release: Release) -> Release:
    endpoint = action.endpoint or release.endpoint
    promises.serves_nobody(world, endpoint, action.name)
    machines.is_not_kept(world, release, endpoint, action.name)
    if release.autoscaled:
        world.azure.scalings.pop((endpoint, action.name), None)
    world.azure.delete_deployment(endpoint, action.name)
    return release


def delete_endpoint(world: World, action: actions.DeleteEndpoint, release: Release) -> Release:
    promises.endpoint_may_go(world, action.name)
    for deployment in world.azure.endpoints[action.name].deployments:
        machines.is_not_kept(world, release, action.name, deployment.name)
    provisioning.delete_scales(world, release, action.name)
    world.azure.delete_endpoint(action.name)
    return release


def report_base_model(world: World, action: actions.ReportBaseModel, release: Release) -> Release:
    return release.replace(reported_base_model=action.id)


def note_drift(world: World, action: actions.NoteDrift, release: Release) -> Release:
    return healing.note(release, action, (), world.now)


def end_drift(world: World, action: Any, release: Release) -> Release:
    return healing.over(release, world.now)


def heal(world: World, action: actions.Heal, release: Release) -> Release:
    match action.part:
        case Part.MODEL:
            world.azure.archived = False
        case Part.TRAFFIC:
            world.azure.share(release.endpoint, {release.deployment_name: 100}, {})
        case Part.ENDPOINT:
            update_endpoint(world, action, release)
        case Part.DEPLOYMENT:
            world.azure.deploy(release.endpoint, provisioning.deployment_of(release))
        case Part.AUTOSCALE:
            release = provisioning.set_autoscale(world, action, release)
        case _:
            raise ViolationError(f"{action.part} can't be brought back in place")
    return healing.begun(release, action.part, world.now)


EFFECTS: dict[type, Effect] = {
    actions.Advance: advance,
    actions.Fail: fail,
    actions.PrepareData: prepare_data,
    actions.NextDataAttempt: next_data_attempt,
    actions.SubmitDataJob: submit_data_job,
    actions.RegisterData: register_data,
    actions.PlanTraining: plan_training,
    actions.CreateCluster: create_cluster,
    actions.ScaleCluster: scale_cluster,
    actions.ReleaseNodes: release_nodes,
    actions.SubmitJob: submit_job,
    actions.NoteSubmission: note_submission,
    actions.NextAttempt: next_attempt,
    actions.NoteOverrun: note_overrun,
    actions.CancelJob: cancel_job,
    actions.ReadMetrics: read_metrics,
    actions.KeepChecks: keep_checks,
    actions.AdoptModel: adopt_model,
    actions.RegisterModel: register_model,
    actions.CreateEndpoint: create_endpoint,
    actions.UpdateEndpoint: update_endpoint,
    actions.RepairEndpoint: repair_endpoint,
    **provisioning.EFFECTS,
    actions.RunSmokeTest: run_smoke_test,
    actions.ShiftTraffic: shift_traffic,
    actions.ShareTraffic: share_traffic,
    actions.BeginStep: begin_step,
    actions.ReadFigures: read_figures,
    actions.NextStep: next_step,
    **asking.EFFECTS,
    actions.Abort: abort,
    actions.DeleteDeployment: delete_deployment,
    actions.DeleteEndpoint: delete_endpoint,
    actions.ReportBaseModel: report_base_model,
    actions.NoteDrift: note_drift,
    actions.EndDrift: end_drift,
    actions.Heal: heal,
}
"""All but those that `worker` does itself: StartRelease and PromoteRelease."""

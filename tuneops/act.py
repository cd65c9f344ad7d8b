"""Doing what was decided: one small effect each, which may be done again without harm."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from tuneops import actions, names, parameters
from tuneops.azureml import compute, endpoints, jobs, metrics, models, registry, scoring
from tuneops.azureml.errors import RefusedError
from tuneops.data import prepare
from tuneops.notify.messages import metrics_text, tell
from tuneops.release import Phase, Release, TrainingPlan
from tuneops.services import Services


def act(action: actions.Effect, release: Release, services: Services, now: datetime) -> Release:
    """Do `action` and give the release as it is then.

    Long operations are begun only. The caller saves the release; if it can't, the same action is
    decided and done again.

    Raises:
        DataError, RefusedError: it can't be done until a person changes something.
        DataChangedError, UnavailableError: it can't be done now.
    """
    effect = _EFFECTS[type(action)]
    return effect(action, release, services, now)


def _advance(action: actions.Advance, release: Release, s: Services, now: datetime) -> Release:
    release = release.advance(action.phase, now, action.reason)
    endpoint = f"endpoint {release.endpoint}"
    if action.phase == Phase.LIVE:
        return tell(release, "live", f"{endpoint} now answers with {release.deployment_name}", now)
    if action.phase == Phase.RETIRED:
        return tell(release, "torn_down", f"{endpoint}: {action.reason}", now, release.endpoint)
    return release


def _fail(action: actions.Fail, release: Release, s: Services, now: datetime) -> Release:
    return tell(release.advance(Phase.FAILED, now, action.reason), "failed", action.reason, now)


def _prepare_data(action: Any, release: Release, s: Services, now: datetime) -> Release:
    data = prepare.prepare(
        s.blobs,
        release.source,
        release.config,
        datasets=s.settings.datasets_container,
        prepared=s.settings.prepared_container,
        max_bytes=s.settings.max_upload_bytes,
    )
    return release.replace(data=data).link(train=_prepared_url(s, data.folder, prepare.TRAIN))


def _plan_training(action: Any, release: Release, s: Services, now: datetime) -> Release:
    if release.data is None:
        raise ValueError("the data is not prepared yet")
    config = release.config
    model, training = config.model, config.training
    base = registry.base_model(s.workspace, model.registry, model.name, model.version)
    component = registry.component_id(
        s.workspace, model.registry, training.component, training.component_version
    )
    compute.check(s.workspace, config.compute)
    try:
        values = parameters.effective(training.parameters, base.tags)
    except parameters.ModelDefaultsError as error:
        raise RefusedError(f"model {base.id}: {error}") from error
    digest = names.digest(base.id, component, release.data.digest, values)
    plan = TrainingPlan(base_model=base.id, component=component, parameters=values, digest=digest)
    return release.replace(training=plan)


def _submit_job(action: Any, release: Release, s: Services, now: datetime) -> Release:
    if release.data is None:
        raise ValueError("the data is not prepared yet")
    folder = release.data.folder
    train, test = (_prepared_url(s, folder, name) for name in (prepare.TRAIN, prepare.TEST))
    studio = jobs.submit(s.workspace, release, train, test)
    text = f"job {release.job_name}: {release.data.train_rows} rows on {release.plan.base_model}"
    return tell(release.link(job=studio), "submitted", text, now)


def _next_attempt(action: Any, release: Release, s: Services, now: datetime) -> Release:
    plan = release.plan
    return release.replace(training=plan.replace(attempt=plan.attempt + 1))


def _cancel_job(action: Any, release: Release, s: Services, now: datetime) -> Release:
    jobs.cancel(s.workspace, release.job_name)
    return release.replace(cancelled_job=True)


def _read_metrics(action: Any, release: Release, s: Services, now: datetime) -> Release:
    found = metrics.read(s.workspace, release.job_name)
    return tell(release.replace(metrics=found), "trained", metrics_text(found), now)


def _register_model(action: Any, release: Release, s: Services, now: datetime) -> Release:
    models.register(s.workspace, release)
    return release


def _create_endpoint(action: Any, release: Release, s: Services, now: datetime) -> Release:
    endpoints.begin_create(s.workspace, release)
    return release


def _create_deployment(action: Any, release: Release, s: Services, now: datetime) -> Release:
    endpoints.begin_deploy(s.workspace, release)
    return release


def _run_smoke_test(action: Any, release: Release, s: Services, now: datetime) -> Release:
    if release.data is None:
        raise ValueError("the data is not prepared yet")
    path = f"{release.data.folder}/{prepare.SAMPLE}"
    blob = s.blobs.get_blob_client(s.settings.prepared_container, path)
    sample = blob.download_blob().readall()
    answer = scoring.smoke_test(s.workspace, release, sample)
    return release.replace(smoke=answer, smoke_attempts=release.smoke_attempts + 1)


def _shift_traffic(action: Any, release: Release, s: Services, now: datetime) -> Release:
    endpoints.begin_shift(s.workspace, release.endpoint, release.deployment_name)
    return release


def _delete_deployment(
    action: actions.DeleteDeployment, release: Release, s: Services, now: datetime
) -> Release:
    endpoints.begin_delete_deployment(s.workspace, release.endpoint, action.name)
    if release.phase != Phase.LIVE:
        return release
    text = f"deployment {action.name} of {release.endpoint} is superseded and being deleted"
    return tell(release, "torn_down", text, now, action.name)


def _delete_endpoint(
    action: actions.DeleteEndpoint, release: Release, s: Services, now: datetime
) -> Release:
    endpoints.begin_delete(s.workspace, action.name)
    return release


def _prepared_url(s: Services, folder: str, name: str) -> str:
    return str(s.blobs.get_blob_client(s.settings.prepared_container, f"{folder}/{name}").url)


_EFFECTS: dict[type, Callable[[Any, Release, Services, datetime], Release]] = {
    actions.Advance: _advance,
    actions.Fail: _fail,
    actions.PrepareData: _prepare_data,
    actions.PlanTraining: _plan_training,
    actions.SubmitJob: _submit_job,
    actions.NextAttempt: _next_attempt,
    actions.CancelJob: _cancel_job,
    actions.ReadMetrics: _read_metrics,
    actions.RegisterModel: _register_model,
    actions.CreateEndpoint: _create_endpoint,
    actions.CreateDeployment: _create_deployment,
    actions.RunSmokeTest: _run_smoke_test,
    actions.ShiftTraffic: _shift_traffic,
    actions.DeleteDeployment: _delete_deployment,
    actions.DeleteEndpoint: _delete_endpoint,
}

"""Doing what was decided: one small effect each, which may be done again without harm."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tuneops import actions, asking, documents, healing, names, planning, provision
from tuneops.actuals import actuals
from tuneops.azureml import (
    activity,
    autoscale,
    compute,
    data_assets,
    data_jobs,
    endpoints,
    jobs,
    metrics,
    models,
    scoring,
    traffic_metrics,
)
from tuneops.behaviour import effects as behaviour
from tuneops.conclusion import conclude, live_before
from tuneops.cost import reservation
from tuneops.data import prepare
from tuneops.data.errors import DataError, TooLargeError
from tuneops.data.job import Task
from tuneops.data.places import place
from tuneops.data.preparation import REPORT_HTML
from tuneops.difference import Part
from tuneops.foretelling import foretell
from tuneops.notify import endings, turns
from tuneops.phases.training import registered
from tuneops.prepared import DataJob, PreparedData
from tuneops.project import Project
from tuneops.release import Phase, Release
from tuneops.rollout import approval_record, record
from tuneops.services import Services


def act(action: actions.Effect, release: Release, services: Services, now: datetime) -> Release:
    """Do `action` and give the release as it is then.

    Long operations are begun only. The caller saves the release; if it can't, the same action is
    decided and done again.

    Raises:
        DataError, RefusedError: it can't be done until a person changes something.
        DataChangedError, DataUnavailableError, UnavailableError: it can't be done now.
    """
    effect = _EFFECTS[type(action)]
    return effect(action, release, services, now)


def _advance(action: actions.Advance, release: Release, s: Services, now: datetime) -> Release:
    release = release.advance(action.phase, now, action.reason)
    if action.phase == Phase.LIVE:
        release = release.link(endpoint=s.workspace.endpoint_page(release.endpoint))
    if action.phase.ended:
        before = live_before(release, s)
        release = conclude(release, before, s, now)
        return endings.ended(release, before, action.reason, now)
    return release


def _fail(action: actions.Fail, release: Release, s: Services, now: datetime) -> Release:
    release = release.advance(Phase.FAILED, now, action.reason)
    before = live_before(release, s)
    release = conclude(release.replace(forbidden=action.by_policy), before, s, now)
    return endings.ended(release, before, action.reason, now)


def _prepare_data(action: Any, release: Release, s: Services, now: datetime) -> Release:
    job, config = release.data_job, release.config
    known = release.pins.hub_revision
    revision = job.revision if job else prepare.revision_of(config, known)
    try:
        data = prepare.prepared(s.storage, release.source, config, revision)
        is_new = data is None
        if data is None:
            with place():
                data = prepare.prepare(s.storage, release.source, config, revision)
    except TooLargeError as error:
        if job:
            raise DataError(f"job {release.data_job_name} completed and left no data") from error
        key = prepare.key_of(release.source, config, revision)
        return release.replace(data_job=DataJob(key=key, revision=revision))
    report = f"{data.folder}/{REPORT_HTML}"
    new_rows = is_new and data.brought_rows
    return release.replace(data=data, new_rows=new_rows).link(report=_prepared_url(s, report))


def _submit_data_job(action: Any, release: Release, s: Services, now: datetime) -> Release:
    source, job, settings = release.source, release.data_job, s.settings
    if job is None:
        raise ValueError("no job prepares the data")
    files = prepare.files_of(s.storage, source)
    task = Task(
        config=release.config,
        source=source.name,
        files=files,
        shares=min(release.config.compute.nodes, max(1, len(files))),
        folder=f"{names.family(release.project)}/{job.key}",
        revision=job.revision,
    )
    url = str(s.blobs.get_blob_client(settings.datasets_container, source.name).url)
    target = s.blobs.get_container_client(settings.prepared_container)
    data_jobs.submit(s.workspace, release, task, url.partition("?")[0], target)
    return release


def _next_data_attempt(action: Any, release: Release, s: Services, now: datetime) -> Release:
    job = release.data_job
    return release.replace(data_job=job.replace(attempt=job.attempt + 1) if job else None)


def _register_data(action: Any, release: Release, s: Services, now: datetime) -> Release:
    data = _data(release)
    assets = {
        part: data_assets.register(s.workspace, release, part, _prepared_url(s, data.path(part)))
        for part in data.parts
    }
    return release.replace(data=data.replace(assets=assets))


def _plan_training(action: Any, release: Release, s: Services, now: datetime) -> Release:
    planned = release.replace(training=planning.plan(s.workspace, release))
    return planned.replace(forecast=foretell(s.workspace, planned, s.policy))


def _create_cluster(action: Any, release: Release, s: Services, now: datetime) -> Release:
    compute.begin_create(s.workspace, release)
    return release


def _scale_cluster(action: Any, release: Release, s: Services, now: datetime) -> Release:
    compute.begin_scale(s.workspace, release)
    return release


def _release_nodes(action: Any, release: Release, s: Services, now: datetime) -> Release:
    compute.begin_release_nodes(s.workspace, release.config.compute.name)
    return release


def _submit_job(action: Any, release: Release, s: Services, now: datetime) -> Release:
    studio = jobs.submit(s.workspace, release)
    return turns.submitted(release.link(job=studio), now)


def _note_submission(action: Any, release: Release, s: Services, now: datetime) -> Release:
    return turns.submitted(release.link(job=s.workspace.job_page(release.job_name)), now)


def _next_attempt(action: Any, release: Release, s: Services, now: datetime) -> Release:
    plan = release.plan
    return release.replace(training=plan.replace(attempt=plan.attempt + 1), progress=None)


def _note_overrun(action: Any, release: Release, s: Services, now: datetime) -> Release:
    return release.replace(overran=True)


def _cancel_job(action: Any, release: Release, s: Services, now: datetime) -> Release:
    jobs.cancel(s.workspace, release.running_job)
    return release.without_job()


def _read_metrics(action: Any, release: Release, s: Services, now: datetime) -> Release:
    found = metrics.read(s.workspace, release.job_name).replace(read_at=now)
    release = release.replace(metrics=found, progress=None)
    return release.replace(actuals=actuals(release))


def _keep_checks(
    action: actions.KeepChecks, release: Release, s: Services, now: datetime
) -> Release:
    return turns.trained(release.replace(checks=action.checks), now)


def _adopt_model(
    action: actions.AdoptModel, release: Release, s: Services, now: datetime
) -> Release:
    version = f"{release.model_name}:{release.model_version}"
    reason = f"model {version} of release {action.release} is adopted, nothing is trained"
    return release.advance(Phase.REGISTERING, now, reason)


def _register_model(action: Any, release: Release, s: Services, now: datetime) -> Release:
    models.register(s.workspace, release)
    return release.advance(Phase.DEPLOYING, now, registered(release))


def _create_endpoint(
    action: actions.CreateEndpoint, release: Release, s: Services, now: datetime
) -> Release:
    endpoints.begin_create(s.workspace, release)
    return release.replace(endpoint_begun=True)


def _update_endpoint(action: Any, release: Release, s: Services, now: datetime) -> Release:
    endpoints.begin_update(s.workspace, release)
    return release


def _repair_endpoint(action: Any, release: Release, s: Services, now: datetime) -> Release:
    endpoints.begin_update(s.workspace, release)
    return release.replace(repairs=release.repairs + 1)


def _reserve_cost(action: Any, release: Release, s: Services, now: datetime) -> Release:
    reservation.reserve(s, release, now)
    return release


def _run_smoke_test(action: Any, release: Release, s: Services, now: datetime) -> Release:
    path = f"{_data(release).folder}/{prepare.QUESTIONS}"
    blob = s.blobs.get_blob_client(s.settings.prepared_container, path)
    questions = blob.download_blob().readall().splitlines()
    conversation = json.loads(questions[len(release.smoke.answers)])
    answer = scoring.ask(s.workspace, release, conversation).replace(at=s.clock())
    return release.replace(smoke=release.smoke.add(answer))


def _shift_traffic(action: Any, release: Release, s: Services, now: datetime) -> Release:
    endpoints.begin_shift(s.workspace, release.endpoint, release.deployment_name)
    return release


def _share_traffic(
    action: actions.ShareTraffic, release: Release, s: Services, now: datetime
) -> Release:
    new, kept = release.deployment_name, 100 if action.mirrored else 100 - action.share
    share = {new: action.share} if action.share else {}
    traffic = {action.live: kept} | ({} if action.mirrored else share)
    mirror = share if action.mirrored else {}
    endpoints.begin_share(s.workspace, release.endpoint, traffic, mirror)
    return record.shared(release, action, now)


def _begin_step(action: actions.BeginStep, release: Release, s: Services, now: datetime) -> Release:
    return record.begun(release, action, now)


def _read_figures(
    action: actions.ReadFigures, release: Release, s: Services, now: datetime
) -> Release:
    both = (release.deployment_name, action.live)
    figures = traffic_metrics.read(s.workspace, release.endpoint, both, action.since, action.until)
    return record.judged(release, action, figures)


def _next_step(action: Any, release: Release, s: Services, now: datetime) -> Release:
    return record.passed(release)


def _hold(action: actions.Hold, release: Release, s: Services, now: datetime) -> Release:
    return asking.posted(record.held(release, action, now), s, now)


def _ask_people(action: actions.AskPeople, release: Release, s: Services, now: datetime) -> Release:
    return asking.posted(approval_record.asked(release, action, now), s, now)


def _look_for_answers(action: Any, release: Release, s: Services, now: datetime) -> Release:
    return asking.looked(release, s, now)


def _take_answer(
    action: actions.TakeAnswer, release: Release, s: Services, now: datetime
) -> Release:
    return asking.posted(approval_record.answered(release, action, now), s, now)


def _tell_overdue(
    action: actions.TellOverdue, release: Release, s: Services, now: datetime
) -> Release:
    return approval_record.overdue(release, action, now)


def _abort(action: actions.Abort, release: Release, s: Services, now: datetime) -> Release:
    return turns.aborted(record.aborted(release, action), now)


def _delete_deployment(
    action: actions.DeleteDeployment, release: Release, s: Services, now: datetime
) -> Release:
    """What was live before is told of first: after a crash nothing would be there to tell of.

    A release that has failed says nothing of it: the commit goes on showing why it has.
    """
    endpoint = action.endpoint or release.endpoint
    deployment = f"{endpoint}/{action.name}"
    if release.phase == Phase.LIVE or (
        not release.phase.ended and _was_live(deployment, release, s)
    ):
        told = turns.superseded(release, deployment, now)
        if told is not release:
            return told
    if release.autoscaled:
        autoscale.delete(s.workspace, endpoint, action.name)
    endpoints.begin_delete_deployment(s.workspace, endpoint, action.name)
    return release


def _was_live(deployment: str, release: Release, s: Services) -> bool:
    """Whether a deployment, as ENDPOINT/DEPLOYMENT, was live before another one took its place."""
    stored = s.store.read(documents.project(release.project), Project)
    previous = stored.value.previous if stored else ()
    return any(each.deployment == deployment for each in previous)


def _delete_endpoint(
    action: actions.DeleteEndpoint, release: Release, s: Services, now: datetime
) -> Release:
    provision.delete_scales(release, action.name, s)
    endpoints.begin_delete(s.workspace, action.name)
    return release


def _report_base_model(
    action: actions.ReportBaseModel, release: Release, s: Services, now: datetime
) -> Release:
    return turns.newer_base_model(release.replace(reported_base_model=action.id), now)


def _note_drift(action: actions.NoteDrift, release: Release, s: Services, now: datetime) -> Release:
    news = healing.is_news(release, action)
    changes = activity.last_changes(s.workspace, release, action.differences, now) if news else ()
    return healing.note(release, action, changes, now)


def _heal(action: actions.Heal, release: Release, s: Services, now: datetime) -> Release:
    if action.part == Part.TRAFFIC:
        endpoints.begin_shift(s.workspace, release.endpoint, release.deployment_name)
    elif action.part == Part.ENDPOINT:
        endpoints.begin_update(s.workspace, release)
    elif action.part == Part.DEPLOYMENT:
        endpoints.begin_redeploy(s.workspace, release)
    elif action.part == Part.AUTOSCALE:
        release = provision.scale(action, release, s, now)
    elif action.part == Part.MODEL:
        models.restore(s.workspace, release)
    return healing.begun(release, action.part, now)


def _end_drift(action: Any, release: Release, s: Services, now: datetime) -> Release:
    return healing.over(release, now)


def _prepared_url(s: Services, path: str) -> str:
    """Where a prepared file is; a signature in the connection string is no part of it."""
    return str(s.blobs.get_blob_client(s.settings.prepared_container, path).url).partition("?")[0]


def _data(release: Release) -> PreparedData:
    if release.data is None:
        raise ValueError("the data is not prepared yet")
    return release.data


_EFFECTS: dict[type, Callable[[Any, Release, Services, datetime], Release]] = {
    actions.Advance: _advance,
    actions.Fail: _fail,
    actions.PrepareData: _prepare_data,
    actions.SubmitDataJob: _submit_data_job,
    actions.NextDataAttempt: _next_data_attempt,
    actions.RegisterData: _register_data,
    actions.PlanTraining: _plan_training,
    actions.CreateCluster: _create_cluster,
    actions.ScaleCluster: _scale_cluster,
    actions.ReleaseNodes: _release_nodes,
    actions.SubmitJob: _submit_job,
    actions.NoteSubmission: _note_submission,
    actions.NextAttempt: _next_attempt,
    actions.NoteOverrun: _note_overrun,
    actions.CancelJob: _cancel_job,
    actions.ReadMetrics: _read_metrics,
    actions.KeepChecks: _keep_checks,
    actions.AdoptModel: _adopt_model,
    actions.RegisterModel: _register_model,
    actions.CreateEndpoint: _create_endpoint,
    actions.UpdateEndpoint: _update_endpoint,
    actions.RepairEndpoint: _repair_endpoint,
    actions.ReserveCost: _reserve_cost,
    **provision.EFFECTS,
    actions.RunSmokeTest: _run_smoke_test,
    actions.ReadSets: behaviour.read_sets,
    actions.BeginSets: behaviour.begin_sets,
    actions.AskSets: behaviour.ask_sets,
    actions.KeepComparisons: behaviour.keep_comparisons,
    actions.ShiftTraffic: _shift_traffic,
    actions.ShareTraffic: _share_traffic,
    actions.BeginStep: _begin_step,
    actions.ReadFigures: _read_figures,
    actions.NextStep: _next_step,
    actions.Hold: _hold,
    actions.AskPeople: _ask_people,
    actions.LookForAnswers: _look_for_answers,
    actions.TakeAnswer: _take_answer,
    actions.TellOverdue: _tell_overdue,
    actions.Abort: _abort,
    actions.DeleteDeployment: _delete_deployment,
    actions.DeleteEndpoint: _delete_endpoint,
    actions.ReportBaseModel: _report_base_model,
    actions.NoteDrift: _note_drift,
    actions.Heal: _heal,
    actions.EndDrift: _end_drift,
}

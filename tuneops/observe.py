"""Looking at Azure: only at what the release's phase needs for its decision."""

import logging
from dataclasses import replace
from datetime import datetime

from tuneops.azureml import autoscale, compute, endpoints, jobs, models, progress, registry, sdk
from tuneops.azureml.errors import RefusedError, UnavailableError
from tuneops.azureml.metrics import NoRunError
from tuneops.azureml.workspace import Workspace
from tuneops.desired import Desired
from tuneops.observed import RUNNING, Cluster, Deployment, Endpoint, Job, Observed
from tuneops.phases.behaving import asks
from tuneops.phases.overrunning import may_overrun
from tuneops.project import Project
from tuneops.release import Phase, Release
from tuneops.training_progress import TrainingProgress, advanced, may_ask, missed

log = logging.getLogger(__name__)

_WITH_ENDPOINT = frozenset({Phase.DEPLOYING, Phase.SHIFTING, Phase.LIVE, Phase.FAILED})
_WITH_SCALINGS = frozenset({Phase.DEPLOYING, Phase.LIVE})
"""Traffic moves, and goes back, whether or not Azure Monitor answers."""
_WITH_STALE = frozenset({Phase.DEPLOYING, Phase.LIVE, Phase.FAILED})


def observe(
    workspace: Workspace, desired: Desired, project: Project, release: Release | None
) -> Observed:
    """What decides the next action of this release.

    Raises:
        UnavailableError: the workspace can't be asked now.
    """
    if release is None or release.phase == Phase.RETIRED:
        return Observed(live_release=project.live)
    sdk.load()
    retiring = desired.config is None
    phase, job = release.phase, _job(workspace, release)
    begins = phase == Phase.TRAINING and job is None and not release.endpoint_begun
    deploys = phase == Phase.DEPLOYING and not retiring
    if deploys and (awaited := endpoints.under_way(workspace, release)):
        return _awaiting(awaited, project)
    return Observed(
        cluster=_cluster(workspace, release, retiring=retiring),
        job=job,
        model_registered=_asks_for_model(release) and models.is_registered(workspace, release),
        model_archived=phase == Phase.LIVE
        and not retiring
        and models.is_archived(workspace, release),
        endpoint=endpoints.observe(workspace, release.endpoint, release.project)
        if retiring or begins or phase in _WITH_ENDPOINT or _compares(release)
        else None,
        stale_endpoints=_stale(workspace, project, release)
        if retiring or phase in _WITH_STALE
        else (),
        scalings=autoscale.observe(
            workspace, (release.endpoint, *project.endpoints), release.project
        )
        if (release.autoscaled or project.autoscaled) and (retiring or phase in _WITH_SCALINGS)
        else (),
        live_release=project.live,
        served=release.training is not None and release.plan.digest in project.served,
        live_deployment=project.live_deployment,
        previous=project.previous,
        newest_base_model=_newest_base(workspace, release)
        if followed_base_model(desired, release)
        else "",
    )


def observe_begin(
    workspace: Workspace, release: Release | None, observed: Observed, now: datetime
) -> Job | None:
    """The release's job, with when it began to run if that may be longer ago than it may last.

    Raises:
        UnavailableError: the tracking server can't be asked now.
    """
    job = observed.job
    if release is None or job is None or not may_overrun(release, job, now):
        return job
    return replace(job, began=progress.began(workspace, release.job_name))


def _awaiting(deployment: Deployment, project: Project) -> Observed:
    """While it is being created nothing else decides what comes next."""
    return Observed(
        awaited=deployment,
        live_release=project.live,
        live_deployment=project.live_deployment,
        previous=project.previous,
    )


def observe_progress(
    workspace: Workspace, release: Release | None, observed: Observed, now: datetime
) -> TrainingProgress | None:
    """How far the release's training has come, if its job runs; nothing depends on it."""
    job = observed.job
    if release is None or release.phase != Phase.TRAINING or job is None or job.status != RUNNING:
        return None
    before = release.progress
    if not may_ask(before, now):
        return before
    try:
        seen = progress.read(workspace, release.job_name, before.run if before else "")
    except NoRunError:
        return before
    except Exception as error:
        log.warning("project %s: %s", release.project, error)
        return missed(before, now)
    return advanced(before, seen, release.plan.parameters) if seen else before


def _job(workspace: Workspace, release: Release) -> Job | None:
    name = release.running_job
    return jobs.observe(workspace, name, release.project) if name else None


def _compares(release: Release) -> bool:
    """Whether it matters in this phase which deployment is live: it is asked the same questions."""
    return release.phase == Phase.TESTING and asks(release)


def _asks_for_model(release: Release) -> bool:
    """Whether it matters that the model is registered: it is not judged by the live one then.

    To register again what a look that was cut short has registered changes nothing.
    """
    if not release.may_be_registered:
        return False
    if release.phase == Phase.EVALUATING:
        return bool(release.config.evaluation.max_regression_percent)
    return release.phase == Phase.REGISTERING


def followed_base_model(desired: Desired, release: Release | None) -> str:
    """The base model (``REGISTRY/NAME``) of which a newer version matters now, empty for none."""
    if desired.config is None or release is None or not release.phase.settled:
        return ""
    model = release.config.model
    return f"{model.registry}/{model.name}" if model.version == "latest" else ""


def _cluster(workspace: Workspace, release: Release, *, retiring: bool) -> Cluster | None:
    """The cluster that a planned release waits for, or that a retiring one lets go of."""
    wanted = release.config.compute
    prepares = release.phase == Phase.PREPARING and release.adopts is None
    waits = prepares and (release.training or release.data_job)
    if wanted.serverless or not (waits or (retiring and wanted.cluster)):
        return None
    return compute.observe(workspace, wanted.name, release.project)


def _newest_base(workspace: Workspace, release: Release) -> str:
    """The newest version of the base model, empty when the registry does not say.

    What is live does not depend on it.
    """
    model = release.config.model
    try:
        return registry.base_model(workspace, model.registry, model.name, "latest").id
    except (RefusedError, UnavailableError) as error:
        log.warning("project %s: %s", release.project, error)
        return ""


def _stale(workspace: Workspace, project: Project, release: Release) -> tuple[Endpoint, ...]:
    others = (name for name in project.endpoints if name != release.endpoint)
    seen = (endpoints.observe(workspace, name, project.name) for name in others)
    return tuple(endpoint for endpoint in seen if endpoint)

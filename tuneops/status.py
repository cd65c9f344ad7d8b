"""What people see of all projects: read from the stored documents alone."""

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from pydantic import BaseModel

from tuneops import documents, healing
from tuneops.behaviour import text as behaviour_text
from tuneops.behaviour.progress import Progress as Behaviour
from tuneops.config import ProjectConfig
from tuneops.data.settings import UploadedData
from tuneops.desired import Desired
from tuneops.difference import Answer, Drift
from tuneops.estimates import Actuals, Forecast, Measured
from tuneops.evaluation.checks import Check
from tuneops.gitops.repository import Repository
from tuneops.inheriting import inheriting
from tuneops.message import Message
from tuneops.names import environment_of
from tuneops.notify.mailbox import Outcome, outcomes
from tuneops.notify.post import read_mailboxes
from tuneops.orders import Pin, Suspension
from tuneops.prepared import PreparedData
from tuneops.previews.terms import Terms
from tuneops.project import Project
from tuneops.provisioning import Provisioning
from tuneops.release import Entry, Metrics, Phase, Release, Smoke, TrainingPlan, Trouble, Waiting
from tuneops.rollout.progress import Progress
from tuneops.rollout.question import Question
from tuneops.rollout.steps import share_of, standing
from tuneops.services import Services
from tuneops.store import UnreadableError
from tuneops.suspension import stays_as_it_is
from tuneops.training_progress import TrainingProgress
from tuneops.unwatched import unwatched
from tuneops.version import VERSION

log = logging.getLogger(__name__)

SIDE_BY_SIDE = 8
_GONE = ("Retired", "the config is not in git")


class ReleaseStatus(BaseModel):
    """One release, without its messages' texts.

    `model` is the registered one, as NAME:VERSION; `share` what it has of the traffic, in percent.
    """

    number: int
    phase: Phase
    reason: str
    rejected: str = ""
    commit: str
    source: str
    config: ProjectConfig
    endpoint: str
    model: str = ""
    share: int = 0
    job: str | None
    deployment: str | None
    instance_type: str = ""
    provisioning: Provisioning = Provisioning()
    data: PreparedData | None
    training: TrainingPlan | None
    progress: TrainingProgress | None = None
    metrics: Metrics | None
    checks: tuple[Check, ...]
    forecast: Forecast | None = None
    actuals: Actuals | None = None
    smoke: Smoke
    behaviour: Behaviour | None = None
    rollout: Progress | None = None
    approval: Question | None = None
    history: tuple[Entry, ...]
    drift: Drift | None = None
    trouble: Trouble | None
    waiting: Waiting | None
    messages: dict[str, datetime | None]


class ProjectStatus(BaseModel):
    """One project with its newest release and the one that is live, if another.

    `pins` is what its releases have resolved where the config leaves a version open, `trainings`
    the last ones that were measured. `pin` is the release that it is held at; `held_back` says why
    what git wants is not done, if it is not; `held` why nothing at all is done; `rejected` what was
    rolled back and does not come back by itself. `unheard` says what is wrong with the channels
    that it chooses, if something is. `preview`: for which pull request it is there, until when.
    `suspension` is the order to stand still.
    """

    name: str
    phase: str
    reason: str
    data_path: str = ""
    pins: dict[str, str] = {}
    trainings: tuple[Measured, ...] = ()
    pin: Pin | None = None
    suspension: Suspension | None = None
    held_back: str = ""
    held: str = ""
    rejected: tuple[str, ...] = ()
    unheard: str = ""
    release: ReleaseStatus | None = None
    live: ReleaseStatus | None = None
    preview: Terms | None = None


class SourceStatus(BaseModel):
    """Where an environment's configs come from, and the commit that was read last."""

    environment: str
    repository: str
    branch: str
    configs: str
    commit: str


class Status(BaseModel):
    """All projects, and what is wrong with config files.

    `commit` is that of the first source, `version` that of TuneOps, empty from one that says none;
    `next` the project `after` which the next page begins, if there is one.
    """

    version: str = ""
    commit: str
    sources: list[SourceStatus] = []
    config_errors: list[str]
    projects: list[ProjectStatus]
    next: str | None = None


def read_status(
    services: Services, only: str | None = None, after: str = "", limit: int | None = None
) -> Status:
    """The status of all projects in their order, or of the one named `only`.

    Of all at most `limit` are read, of those that come `after` a name.
    """
    sources: list[SourceStatus] = []
    errors: list[str] = []
    refused: dict[str, str] = {}
    for source in services.settings.config_sources:
        where = f"{source.environment}: " if source.environment else ""
        repository = Repository()
        try:
            stored = services.store.read(documents.repository(source.environment), Repository)
            repository = stored.value if stored else repository
        except UnreadableError as error:
            errors.append(f"{where}{error}")
        given = source.model_dump(include={"environment", "repository", "branch", "configs"})
        sources.append(SourceStatus(**given, commit=repository.commit))
        errors += [f"{where}{source.repository}: {o.text}" for o in (repository.outage,) if o]
        errors += [f"{where}{e}" for state in repository.files.values() for e in state.errors]
        errors += [f"{where}{path}: {each.why}" for path, each in repository.refused.items()]
        refused |= {each.project: each.why for each in repository.refused.values()}
    prefix = documents.DESIRED if only is None else documents.desired(only)
    known = documents.desired_projects(services.store.paths(prefix))
    names = sorted(name for name in known if name > after) if only is None else [only]
    shown = [name for name in names[:limit] if name in known]

    def read(name: str) -> ProjectStatus:
        return _project(services, name, refused.get(name, ""), _told(services, name))

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        projects = list(pool.map(inheriting(read), shown))
    return Status(
        version=VERSION,
        commit=sources[0].commit,
        sources=sources,
        config_errors=errors,
        projects=projects,
        next=shown[-1] if len(names) > len(shown) > 0 else None,
    )


def read_named(services: Services, name: str) -> ProjectStatus | None:
    """The status of one project with what its own source refuses, None if it was never seen."""
    path, environment = documents.desired(name), environment_of(name)
    if path not in services.store.paths(path):
        return None
    stored = None
    if services.settings.source(environment):
        try:
            stored = services.store.read(documents.repository(environment), Repository)
        except UnreadableError as error:
            log.info("what is refused is not known: %s", error)
    refused = stored.value.refused.values() if stored else ()
    why = next((each.why for each in refused if each.project == name), "")
    return _project(services, name, why, told={})


def read_project(services: Services, name: str) -> ProjectStatus:
    """The status of one project by its own documents.

    What its source refuses and when people got its messages is not in them.
    """
    return _project(services, name, refused="", told={})


def _told(services: Services, name: str) -> Mapping[str, Outcome]:
    return outcomes(read_mailboxes(services.store, name).values())


def _project(
    services: Services, name: str, refused: str, told: Mapping[str, Outcome]
) -> ProjectStatus:
    try:
        return _read_project(services, name, refused, told)
    except UnreadableError as error:
        return ProjectStatus(name=name, phase="Unreadable", reason=str(error))


def _read_project(
    services: Services, name: str, refused: str, told: Mapping[str, Outcome]
) -> ProjectStatus:
    """The project; `refused` says why what git has for it is not taken, if it is not."""
    stored = services.store.read(documents.project(name), Project)
    project = stored.value if stored else Project(name=name)
    wanted = services.store.read(documents.desired(name), Desired)
    config = wanted.value.config if wanted else None
    terms = wanted.value.preview if wanted else None
    path = config.data.path if config and isinstance(config.data, UploadedData) else ""
    held = unwatched(name, wanted.value if wanted else None, services.settings)
    if wanted and not held:
        held = stays_as_it_is(wanted.value, project.suspension, project.pin).standstill
    stays = project.suspension is not None and project.suspension.stays(project.pin)
    unheard = services.unknown_channel(config) if config else ""
    current = services.release(name, project.current)
    if current is None:
        phase, reason = ("Waiting for data", f"no data in {path} yet") if config else _GONE
        reason = held or (project.trouble.message if project.trouble else reason)
        reason = "; ".join(filter(None, (reason, refused)))
        return ProjectStatus(
            name=name,
            phase=phase,
            reason=reason,
            data_path=path,
            suspension=project.suspension,
            held_back=refused,
            held=held,
            unheard=unheard,
            preview=terms,
        )
    held_back = "; ".join(filter(None, (project.held_back, refused)))
    newest = current.value
    known = project.remember(newest)
    is_live = project.live == newest.number
    live = current if is_live else services.release(name, project.live)
    return ProjectStatus(
        name=name,
        phase=newest.phase,
        reason=("" if project.pin and not stays else held) or _why(newest, held_back),
        data_path=path,
        pins=known.pins,
        trainings=known.trainings,
        pin=project.pin,
        suspension=project.suspension,
        held_back=held_back,
        held=held,
        rejected=tuple(each.why for each in project.rejected),
        unheard=unheard,
        release=release_status(newest, told),
        live=release_status(live.value, told) if live else None,
        preview=terms,
    )


def _why(release: Release, held_back: str) -> str:
    if held_back and release.phase == Phase.LIVE and not release.trouble:
        return held_back
    why, drift = release.why, release.drift
    if drift and not (drift.answer == Answer.HEALING and release.waiting):
        why = f"drifted: {healing.text(drift)}"
    why = standing(release, datetime.now(UTC)) or why
    if release.phase == Phase.TESTING and not release.waiting:
        why = behaviour_text.standing(release.behaviour) or why
    why = release.trouble.message if release.trouble else why
    return "; ".join(filter(None, (why, held_back)))


def release_status(release: Release, told: Mapping[str, Outcome]) -> ReleaseStatus:
    """What people see of a release; `told` is what became of its project's messages."""
    planned = release.training is not None
    return ReleaseStatus(
        number=release.number,
        phase=release.phase,
        reason=release.reason,
        rejected=release.rejected,
        commit=release.commit,
        source=release.source.name,
        config=release.config,
        endpoint=release.endpoint,
        model=f"{release.model_name}:{release.model_version}" if planned else "",
        share=share_of(release),
        job=release.job_name if planned else None,
        deployment=release.deployment_name if planned else None,
        instance_type=release.instance_type,
        provisioning=release.provisioning,
        data=release.data,
        training=release.training,
        progress=release.progress,
        metrics=release.metrics,
        checks=release.checks,
        forecast=release.forecast,
        actuals=release.actuals,
        smoke=release.smoke,
        behaviour=release.behaviour,
        rollout=release.rollout,
        approval=release.approval,
        history=release.history,
        drift=release.drift,
        trouble=release.trouble,
        waiting=release.waiting,
        messages={message.key: _sent_at(message, told) for message in release.outbox},
    )


def _sent_at(message: Message, told: Mapping[str, Outcome]) -> datetime | None:
    """When the first channel took it; an earlier version wrote that down in the message itself."""
    became = told.get(message.key)
    times = [each.sent_at for each in message.deliveries.values() if each.sent_at]
    return became.sent_at if became else min(times, default=None)

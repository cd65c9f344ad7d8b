"""What people see of all projects: read from the stored documents alone."""

from datetime import datetime

from pydantic import BaseModel

from tuneops import documents, healing
from tuneops.config import ProjectConfig, UploadedData
from tuneops.difference import Drift
from tuneops.gitops.repository import Repository
from tuneops.release import (
    Desired,
    Entry,
    Metrics,
    Phase,
    PreparedData,
    Project,
    Release,
    Smoke,
    TrainingPlan,
    Trouble,
    Waiting,
)
from tuneops.services import Services
from tuneops.store import UnreadableError

_GONE = ("Retired", "the config is not in git")


class ReleaseStatus(BaseModel):
    """One release, without its messages' texts."""

    number: int
    phase: Phase
    reason: str
    commit: str
    source: str
    config: ProjectConfig
    endpoint: str
    job: str | None
    deployment: str | None
    data: PreparedData | None
    training: TrainingPlan | None
    metrics: Metrics | None
    smoke: Smoke
    history: tuple[Entry, ...]
    drift: Drift | None = None
    trouble: Trouble | None
    waiting: Waiting | None
    messages: dict[str, datetime | None]


class ProjectStatus(BaseModel):
    """One project with its newest release and the one that is live, if another.

    `pins` is what its releases have resolved where the config leaves a version open.
    """

    name: str
    phase: str
    reason: str
    data_path: str = ""
    pins: dict[str, str] = {}
    release: ReleaseStatus | None = None
    live: ReleaseStatus | None = None


class Status(BaseModel):
    """All projects, and what is wrong with config files."""

    commit: str
    config_errors: list[str]
    projects: list[ProjectStatus]


def read_status(services: Services, only: str | None = None) -> Status:
    """The status of all projects, or of the one named `only`."""
    stored = services.store.read(documents.REPOSITORY, Repository)
    repository = stored.value if stored else Repository()
    known = {
        path.removeprefix("desired/").removesuffix(".json")
        for path in services.store.paths("desired/")
    }
    names = sorted(known if only is None else known & {only})
    return Status(
        commit=repository.commit,
        config_errors=[e for state in repository.files.values() for e in state.errors],
        projects=[_project(services, name) for name in names],
    )


def _project(services: Services, name: str) -> ProjectStatus:
    try:
        return _read_project(services, name)
    except UnreadableError as error:
        return ProjectStatus(name=name, phase="Unreadable", reason=str(error))


def _read_project(services: Services, name: str) -> ProjectStatus:
    stored = services.store.read(documents.project(name), Project)
    project = stored.value if stored else Project(name=name)
    wanted = services.store.read(documents.desired(name), Desired)
    config = wanted.value.config if wanted else None
    path = config.data.path if config and isinstance(config.data, UploadedData) else ""
    suspended = f"suspended by {wanted.value.path}" if wanted and config and config.suspend else ""
    current = services.release(name, project.current)
    if current is None:
        phase, reason = ("Waiting for data", f"no data in {path} yet") if config else _GONE
        reason = suspended or (project.trouble.message if project.trouble else reason)
        return ProjectStatus(name=name, phase=phase, reason=reason, data_path=path)
    newest = current.value
    is_live = project.live == newest.number
    live = current if is_live else services.release(name, project.live)
    return ProjectStatus(
        name=name,
        phase=newest.phase,
        reason=suspended or _why(newest),
        data_path=path,
        pins=project.remember(newest).pins,
        release=_summary(newest),
        live=_summary(live.value) if live else None,
    )


def _why(release: Release) -> str:
    if release.trouble:
        return release.trouble.message
    if release.waiting:
        return release.waiting.reason
    return f"drifted: {healing.text(release.drift)}" if release.drift else release.reason


def _summary(release: Release) -> ReleaseStatus:
    planned = release.training is not None
    return ReleaseStatus(
        number=release.number,
        phase=release.phase,
        reason=release.reason,
        commit=release.commit,
        source=release.source.name,
        config=release.config,
        endpoint=release.endpoint,
        job=release.job_name if planned else None,
        deployment=release.deployment_name if planned else None,
        data=release.data,
        training=release.training,
        metrics=release.metrics,
        smoke=release.smoke,
        history=release.history,
        drift=release.drift,
        trouble=release.trouble,
        waiting=release.waiting,
        messages={
            message.key: min(
                (d.sent_at for d in message.deliveries.values() if d.sent_at), default=None
            )
            for message in release.outbox
        },
    )

"""What people see of sweeps: what was found with its proof, what is kept, what can come back."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from pydantic import BaseModel

from tuneops import documents
from tuneops.names import environment_of
from tuneops.services import Services
from tuneops.sweep import text
from tuneops.sweep.finding import Finding, Findings
from tuneops.sweep.kept import Kept, kept
from tuneops.sweep.record import Record
from tuneops.sweep.survey import Survey, looked_at
from tuneops.sweep.workspaces import workspaces

MAX_SWEPT = 50


class Found(BaseModel):
    """A finding, and in one line what becomes of it when; `due_at` is None if it is left."""

    finding: Finding
    line: str
    due_at: datetime | None = None


class WorkspaceView(BaseModel):
    """One workspace, at `looked_at`, with the environments that share it.

    `total` is how many of its resources carry our tags; `stopped` says why nothing goes at all,
    `trouble` why the last sweep could not look.
    """

    workspace: str
    environments: list[str]
    looked_at: datetime | None = None
    total: int = 0
    stopped: str = ""
    trouble: str = ""
    found: list[Found] = []
    kept: list[Kept] = []


class SweptView(BaseModel):
    """Something that was swept away, and how it stands with bringing it back."""

    id: str
    label: str
    project: str
    at: datetime
    restoration: str = ""


class SweepView(BaseModel):
    """All workspaces; `mode` is the setting, `told` whether there is anybody to tell."""

    mode: str
    grace_hours: int
    told: bool
    workspaces: list[WorkspaceView]
    swept: list[SweptView]


def last(services: Services) -> SweepView:
    """What the last sweeps have found, from the stored documents alone."""
    seen = []
    for environment, sharing in workspaces(services).items():
        own = services.of(environment)
        stored = services.store.read(documents.findings(own.workspace.id), Findings)
        seen.append(_workspace(own, sharing, stored.value if stored else Findings()))
    return _view(services, seen)


def look(services: Services, now: datetime) -> SweepView:
    """What a sweep would find now, with what is kept; nothing is changed or told.

    Raises:
        RefusedError, UnavailableError: a workspace can't be looked at now.
    """
    seen = []
    known = documents.desired_projects(services.store.paths(documents.DESIRED))
    for environment, sharing in workspaces(services).items():
        own = services.of(environment)
        stored = services.store.read(documents.findings(own.workspace.id), Findings)
        found = looked_at(Survey(own, now), stored.value if stored else Findings())
        view = _workspace(own, sharing, found)
        projects = {name for name in known if environment_of(name) in sharing}
        seen.append(view.model_copy(update={"kept": kept(own, projects)}))
    return _view(services, seen)


def _workspace(services: Services, sharing: Iterable[str], found: Findings) -> WorkspaceView:
    deletes = services.settings.sweep == "delete" and bool(services.people)
    grace = timedelta(hours=services.settings.sweep_grace_hours) if deletes else None
    return WorkspaceView(
        workspace=services.workspace.id,
        environments=list(sharing),
        looked_at=found.looked_at,
        total=found.total,
        stopped=found.stopped,
        trouble=found.trouble,
        found=[
            Found(
                finding=each,
                line=text.line(each, grace),
                due_at=each.due(grace) if grace and not each.left else None,
            )
            for each in found.findings
        ],
    )


def _view(services: Services, seen: list[WorkspaceView]) -> SweepView:
    paths = list(services.store.paths(documents.SWEPT))
    read = (services.store.read(path, Record) for path in paths)
    gone = [stored.value for stored in read if stored and stored.value.gone_at]
    newest = sorted(gone, key=lambda record: record.at, reverse=True)[:MAX_SWEPT]
    return SweepView(
        mode=services.settings.sweep,
        grace_hours=services.settings.sweep_grace_hours,
        told=bool(services.people),
        workspaces=seen,
        swept=[_swept(record) for record in newest],
    )


def _swept(record: Record) -> SweptView:
    order = record.restoration
    return SweptView(
        id=record.finding.id,
        label=record.finding.label,
        project=record.finding.project,
        at=record.at,
        restoration=f"{order.state}: {order.said}".rstrip(": ") if order else "",
    )

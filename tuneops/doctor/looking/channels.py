"""Area `channels`: by what became of the messages of the newest releases."""

from collections.abc import Iterator

from tuneops import documents
from tuneops.doctor.finding import Finding
from tuneops.doctor.judging import channels as judging
from tuneops.doctor.judging.outboxes import health_of
from tuneops.doctor.patient import MAX_PROJECTS, Patient
from tuneops.message import Message
from tuneops.project import Project
from tuneops.release import Release
from tuneops.store import UnreadableError


def look(patient: Patient) -> Iterator[Finding]:
    """Each channel that was written to."""
    yield from judging.judge(health_of(_outboxes(patient)))


def _outboxes(patient: Patient) -> Iterator[tuple[Message, ...]]:
    """What people are owed by the newest release of each project: it takes over earlier debts."""
    for path in sorted(patient.store.paths(documents.PROJECTS))[:MAX_PROJECTS]:
        try:
            project = patient.store.read(path, Project)
            if project is None or project.value.current is None:
                continue
            name, number = project.value.name, project.value.current
            release = patient.store.read(documents.release(name, number), Release)
        except UnreadableError:
            continue
        if release:
            yield release.value.outbox

"""Area `timers`: by the documents that they leave."""

from collections.abc import Iterator
from datetime import datetime

from tuneops import documents
from tuneops.doctor.finding import Finding
from tuneops.doctor.judging import timers as judging
from tuneops.doctor.patient import Patient
from tuneops.gitops.repository import Repository
from tuneops.store import UnreadableError
from tuneops.ticks import Tick


def look(patient: Patient) -> Iterator[Finding]:
    """Each timer's last tick."""
    since = _active_since(patient)
    for timer in judging.TIMERS:
        stored = patient.store.read(documents.tick(timer.name), Tick)
        tick = stored.value if stored else None
        yield judging.judge(timer, tick, since, patient.environment, patient.now)


def _active_since(patient: Patient) -> datetime | None:
    """When a repository was read: TuneOps runs since then at the latest."""
    for source in patient.services.settings.config_sources:
        try:
            stored = patient.store.read(documents.repository(source.environment), Repository)
        except UnreadableError:
            continue
        if stored and stored.value.reading:
            return stored.value.reading.at
    return None

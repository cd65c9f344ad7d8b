"""Area `channels`: how each channel fares that was written to."""

from collections.abc import Iterator

from tuneops.doctor.finding import Finding
from tuneops.doctor.judging import channels as judging
from tuneops.doctor.patient import Patient
from tuneops.notify.health import read_health


def look(patient: Patient) -> Iterator[Finding]:
    """Each channel that was written to."""
    yield from judging.judge(read_health(patient.store))

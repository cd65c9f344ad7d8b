"""What is told of a release when it has moved on: a span and a measurement of each phase."""

from itertools import groupby, pairwise
from operator import attrgetter

from tuneops.phase import Phase
from tuneops.release import Entry, Release
from tuneops.telemetry import fields, metrics, tracing


def moved(before: Release | None, after: Release) -> None:
    """Tell what is new in the release's history, once it is saved.

    A crash in between leaves it untold: what is measured may lack a phase and never has it twice.
    """
    new = after.history[len(before.history) if before else 0 :]
    begun = after.history[0]
    for left, entered in pairwise(_entered(after)):
        if left.phase.ended:
            begun = entered
        elif entered in new:
            _tell_phase(after, left, entered)
            if entered.phase.ended:
                _tell_end(after, begun, entered)


def _entered(release: Release) -> list[Entry]:
    """The entries with which a phase began, of which there may be more."""
    phases = groupby(release.history, key=attrgetter("phase"))
    return [next(entries) for _, entries in phases]


def _tell_phase(release: Release, left: Entry, entered: Entry) -> None:
    outcome = entered.phase.value if entered.phase in _ENDS else "completed"
    said = {"phase": left.phase.value, "outcome": outcome}
    metrics.PHASE_DURATION.record((entered.at - left.at).total_seconds(), said)
    attributes = {f"tuneops.{name}": value for name, value in said.items()} | _named(release)
    tracing.told(release.trace, f"phase {left.phase}", left.at, entered.at, attributes)


def _tell_end(release: Release, begun: Entry, entered: Entry) -> None:
    said = {"phase": entered.phase.value, "project": release.project}
    metrics.RELEASES_ENDED.add(1, said)
    attributes = {"tuneops.phase": entered.phase.value, **_named(release)}
    tracing.told(release.trace, "release", begun.at, entered.at, attributes)


_ENDS = (Phase.SUPERSEDED, Phase.FAILED, Phase.RETIRED)


def _named(release: Release) -> dict[str, str]:
    return {
        **fields.of_stream(release.project),
        fields.RELEASE: str(release.number),
        fields.COMMIT: release.commit,
    }

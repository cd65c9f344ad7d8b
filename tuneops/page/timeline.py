"""A release's phases with their times, those to come among them. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from tuneops.page.texts import lasted, line, links
from tuneops.phase import Phase
from tuneops.release import Entry, Release

MAX_STAGES = 60
MAX_SAID = 12
_ORDER = tuple(phase for phase in Phase if not phase.ended or phase == Phase.LIVE)


@dataclass(frozen=True)
class Said:
    """Something that was written down in a phase."""

    at: datetime
    text: str
    links: Mapping[str, str]


@dataclass(frozen=True)
class Stage:
    """One stay in a phase; `at` is None for one to come. `left_out` counts what is not shown."""

    phase: Phase
    at: datetime | None = None
    lasted: str = ""
    now: bool = False
    said: tuple[Said, ...] = ()
    left_out: int = 0


def stages(release: Release, now: datetime) -> tuple[Stage, ...]:
    """The phases that the release went through, then those it is likely to go through."""
    groups = [list(group) for _, group in groupby(release.history, key=lambda each: each.phase)]
    gone = []
    for place, entries in enumerate(groups):
        following = groups[place + 1][0].at if place + 1 < len(groups) else None
        gone.append(_stage(entries, following, now))
    return (*gone[-MAX_STAGES:], *_to_come(release))


def _stage(entries: list[Entry], following: datetime | None, now: datetime) -> Stage:
    phase, begun = entries[0].phase, entries[0].at
    is_now = following is None and not phase.ended
    until = following or (now if is_now or phase == Phase.LIVE else None)
    shown = entries[-MAX_SAID:]
    return Stage(
        phase=phase,
        at=begun,
        lasted=lasted((until - begun).total_seconds()) if until else "",
        now=is_now,
        said=tuple(Said(each.at, line(each.reason), links(each.links)) for each in shown),
        left_out=len(entries) - len(shown),
    )


def _to_come(release: Release) -> Iterator[Stage]:
    if release.phase.ended:
        return
    for phase in _ORDER[_ORDER.index(release.phase) + 1 :]:
        yield Stage(phase=phase)

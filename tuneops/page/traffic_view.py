"""How the traffic came to a release, and what was seen meanwhile. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from tuneops.chart.plan import plan
from tuneops.chart.svg import svg
from tuneops.curves import Curve
from tuneops.page.texts import line
from tuneops.release import Phase, Release
from tuneops.rollout.progress import Judgement, Progress
from tuneops.rollout.steps import standing, steps_of
from tuneops.rollout.text import figures_text, share_text

MAX_STEPS = 50
TITLE = "Traffic over time"
_UNITS = (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))


@dataclass(frozen=True)
class Step:
    """A step of a rollout, what was seen at it, and why it is not passed, if so."""

    what: str
    since: datetime
    until: datetime
    verdict: str
    seen: str
    reasons: tuple[str, ...]

    @property
    def tone(self) -> str:
        """How the verdict looks."""
        return {"pass": "good", "fail": "bad"}.get(self.verdict, "warn")


@dataclass(frozen=True)
class Traffic:
    """A rollout: its picture, its steps, and what people are asked or have said."""

    chart: Markup | None
    steps: tuple[Step, ...]
    now: str
    said: str


def traffic(release: Release, now: datetime) -> Traffic:
    """The rollout of a release."""
    progress = release.rollout or Progress()
    judged = (*progress.done, *filter(None, (progress.judged,)))
    answer = release.approval.answer if release.approval else None
    return Traffic(
        chart=_chart(release, now),
        steps=tuple(map(_step, judged[-MAX_STEPS:])),
        now=line(standing(release, now) or ""),
        said=line(str(answer)) if answer else "",
    )


def shares(release: Release, now: datetime) -> list[tuple[datetime, int]]:
    """From when on the release had which percentage of the traffic, while it came to it."""
    found = sorted(_shares(release))
    if not found:
        return []
    (first, _), (last, share) = found[0], found[-1]
    until = now if release.phase == Phase.SHIFTING else min(now, last + (last - first) / 5)
    return [*found, (max(until, last), share)]


def _shares(release: Release) -> Iterator[tuple[datetime, int]]:
    progress = release.rollout
    begun = release.entered(Phase.SHIFTING)
    if progress is None or begun is None:
        return
    for judged in progress.done:
        yield judged.since, 0 if judged.mirrored else judged.share
    steps = steps_of(release)
    if progress.since and progress.step < len(steps):
        yield progress.since, steps[progress.step].level
    live = release.entered(Phase.LIVE)
    if live:
        yield live, 100
    ended = next((each.at for each in release.history if each.phase.ended), None)
    if ended and live is None:
        yield ended, 0


def _chart(release: Release, now: datetime) -> Markup | None:
    found = shares(release, now)
    if len(found) < 3:
        return None
    began = found[0][0]
    lasted = (found[-1][0] - began).total_seconds()
    name, length = next((each for each in _UNITS if lasted >= 2 * each[1]), _UNITS[-1])
    points = tuple(((at - began).total_seconds() / length, float(share)) for at, share in found)
    curve = Curve(name="traffic", unit="%", points=points)
    drawn = plan([curve], TITLE, across=name, bounds=(0, 100), stepped=True)
    return svg(drawn)


def _step(judged: Judgement) -> Step:
    reasons = judged.analysis.reasons
    return Step(
        what=share_text(judged.share, mirrored=judged.mirrored),
        since=judged.since,
        until=judged.until,
        verdict=judged.analysis.verdict,
        seen=figures_text(judged),
        reasons=() if judged.analysis.verdict == "pass" else tuple(map(line, reasons)),
    )

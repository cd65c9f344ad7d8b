"""The behaviour gate: evaluation sets that a deployment is asked after the smoke test. Pure."""

from datetime import datetime

from tuneops.actions import Action, AskSets, BeginSets, Fail, KeepComparisons, ReadSets, Wait
from tuneops.behaviour.comparison import compare, verdict_of
from tuneops.behaviour.progress import Asked
from tuneops.behaviour.text import reasons_text
from tuneops.observed import Observed
from tuneops.release import Phase, Release


def asks(release: Release) -> bool:
    """Whether there are sets to ask; a pin is an emergency, and what was live has been asked."""
    wanted = bool(release.config.behaviour.sets) and release.adopts is None
    return wanted and release.entered(Phase.LIVE) is None


def read_first(release: Release, observed: Observed) -> Action | None:
    """Read the sets before anything is trained: one that is missing is to be told at once."""
    needed = asks(release) and not observed.served
    return ReadSets() if needed and release.behaviour is None else None


def behave(release: Release, observed: Observed, now: datetime) -> Action | None:
    """The next action; None when the sets are passed, or there is none.

    A model that was live before is not asked: going back to it in git is meant.
    """
    if not asks(release) or observed.served:
        return None
    progress, live = release.behaviour, observed.incumbent(release.deployment_name)
    if progress is None:
        return ReadSets()
    if progress.against != live:
        return BeginSets(live)
    settings = release.config.behaviour
    if progress.turn is not None and progress.requests < settings.max_requests:
        return _ask(progress.sets[progress.turn], now)
    comparisons = compare(progress, settings)
    if comparisons != progress.comparisons:
        return KeepComparisons(comparisons)
    verdict, reasons = verdict_of(comparisons), f"behaviour: {reasons_text(comparisons)}"
    if verdict == "fail":
        return Fail(reasons)
    if verdict == "inconclusive" and settings.on_inconclusive == "fail":
        return Fail(f"{reasons}; more rows may tell, or set behaviour.on_inconclusive: continue")
    return None


def _ask(asked: Asked, now: datetime) -> Action:
    """Ask, unless a deployment that did not answer is to be left alone for a while."""
    if asked.due(now):
        return AskSets()
    until = min(side.not_before or now for side in map(asked.side, asked.open))
    return Wait(f"{asked.name}: a question is asked again", (until - now).total_seconds())

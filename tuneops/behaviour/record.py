"""A release with what its evaluation sets have come to written down. Pure."""

from tuneops.behaviour.progress import Asked, Comparison, Example, Progress, Side
from tuneops.release import Release


def progress_of(release: Release) -> Progress:
    """How far the sets were asked, which every release has whose sets were read."""
    if release.behaviour is None:
        raise ValueError(f"release {release.number} has read no evaluation sets")
    return release.behaviour


def begun(release: Release, live: str, live_release: Release | None) -> Release:
    """With nothing asked yet, beside this live deployment; what it is known to answer is kept.

    What was asked beside another one does not count, but for the requests.
    """
    progress, settings = progress_of(release), release.config.behaviour
    sets = []
    for asked, wanted in zip(progress.sets, settings.sets, strict=True):
        fresh = asked.afresh(compared=bool(live) and wanted.max_drop is not None)
        known = _known(fresh, live, release, live_release) if fresh.compared else None
        if known and live_release:
            fresh = fresh.replace(live=known, reused=live_release.number)
        sets.append(fresh)
    return release.replace(
        behaviour=Progress(sets=tuple(sets), against=live, requests=progress.requests)
    )


def compared(
    release: Release,
    comparisons: tuple[Comparison, ...],
    worst: dict[str, tuple[Example, ...]],
) -> Release:
    """With what the sets say."""
    progress = progress_of(release).replace(comparisons=comparisons, worst=worst)
    return release.replace(behaviour=progress)


def _known(asked: Asked, live: str, release: Release, live_release: Release | None) -> Side | None:
    """What the live deployment answered to the same questions when it was new itself."""
    known = live_release.behaviour if live_release else None
    if live_release is None or known is None or live_release.deployment_name != live:
        return None
    if live_release.config.behaviour.max_new_tokens != release.config.behaviour.max_new_tokens:
        return None
    for other in known.sets:
        alike = (other.version, other.score) == (asked.version, asked.score)
        if alike and len(other.new.scores) == asked.rows and not other.new.unanswered:
            return Side(scores=other.new.scores)
    return None

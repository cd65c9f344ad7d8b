"""What people are told of a rollout. Pure."""

from datetime import datetime

from tuneops.analysis import DeploymentFigures
from tuneops.rollout.progress import Judgement, Progress


def share_text(share: int, *, mirrored: bool) -> str:
    """What a step is."""
    return f"{share}% of the requests mirrored" if mirrored else f"{share}% of the traffic"


def figures_text(judged: Judgement) -> str:
    """The figures of both deployments in one line."""
    return f"new: {_figures(judged.candidate)}; live: {_figures(judged.live)}"


def judgement_text(judged: Judgement) -> str:
    """What was seen of a step."""
    return f"{share_text(judged.share, mirrored=judged.mirrored)}: {figures_text(judged)}"


def reasons_text(judged: Judgement) -> str:
    """Why a step is not passed, with the figures."""
    step = share_text(judged.share, mirrored=judged.mirrored)
    return f"at {step}: {', '.join(judged.analysis.reasons)} ({figures_text(judged)})"


def progress_text(progress: Progress, share: int, now: datetime, *, mirrored: bool) -> str:
    """Where a rollout stands, for the status."""
    if progress.aborted:
        return progress.aborted
    said = share_text(share, mirrored=mirrored)
    if progress.since is None:
        return f"{said} is being set"
    minutes = max(0, int((now - progress.since).total_seconds() // 60))
    said = f"{said} for {minutes} min"
    if progress.held:
        said += ", held"
    if progress.judged is None:
        return f"{said}, no figures yet"
    verdict = progress.judged.analysis.verdict
    return f"{said}, {verdict} so far ({figures_text(progress.judged)})"


def _figures(figures: DeploymentFigures) -> str:
    p90 = "" if figures.p90_ms is None else f", p90 {figures.p90_ms:.0f} ms"
    requests = "1 request" if figures.requests == 1 else f"{figures.requests} requests"
    refused = f", {figures.client_errors} refused" if figures.client_errors else ""
    return f"{requests}, {figures.failures} failed{refused}{p90}"

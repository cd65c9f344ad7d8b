"""Times, figures and phases as the pages write them. Pure."""

from collections.abc import Callable
from datetime import UTC, datetime

from markupsafe import Markup

from tuneops.phase import Phase

Tone = str
"""How a phase looks: good, busy, warn, bad or quiet."""

_TONES: dict[str, Tone] = {
    Phase.LIVE: "good",
    Phase.FAILED: "bad",
    Phase.RETIRED: "quiet",
    Phase.SUPERSEDED: "quiet",
    "Waiting for data": "quiet",
    "Unreadable": "bad",
}


def tone(phase: str) -> Tone:
    """How a phase looks."""
    return _TONES.get(phase, "busy")


def moment(at: datetime | None) -> Markup:
    """A time for people and for programs."""
    if at is None:
        return Markup("")
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        f"{utc:%Y-%m-%dT%H:%M:%SZ}", f"{utc:%Y-%m-%d %H:%M:%S} UTC", f"{utc:%d %b %H:%M}"
    )


def figure(value: float) -> str:
    """A figure with as many digits as one compares."""
    return f"{value:.4g}"


def money(hourly: float | None) -> str:
    """What something costs in an hour."""
    return "no price" if hourly is None else f"{hourly:,.2f}"


def short(commit: str) -> str:
    """The first characters of a commit, as git shows them."""
    return commit[:8]


FILTERS: dict[str, Callable[..., object]] = {
    "tone": tone,
    "moment": moment,
    "figure": figure,
    "money": money,
    "short": short,
}

"""What people are told, and in which words. Pure."""

from collections.abc import Mapping
from datetime import datetime

from tuneops.config import Event
from tuneops.release import Message, Release

_TITLES: Mapping[Event, str] = {
    "queued": "release {n} is queued",
    "submitted": "release {n} is training",
    "trained": "release {n} is trained",
    "live": "release {n} is live",
    "failed": "release {n} failed",
    "torn_down": "torn down",
    "held": "release {n} is held up",
    "drifted": "release {n} has drifted",
    "newer_base_model": "the base model has a newer version",
}

MAX_SHOWN_METRICS = 6
_FIRST_METRICS = ("eval_loss", "train_loss", "exact_match", "rougeL", "loss")


def compose(
    release: Release, event: Event, text: str, at: datetime, subject: str = "", occasion: str = ""
) -> Message:
    """The message that tells of `event`.

    `subject` tells several of one kind apart; `occasion` does so without being shown.
    """
    title = f"{release.project}: {_TITLES[event].format(n=release.number)}"
    return Message(
        key=":".join(
            filter(None, (release.project, str(release.number), event, subject, occasion))
        ),
        event=event,
        phase=release.phase,
        title=f"{title}: {subject}" if subject else title,
        text=text,
        at=at,
        commit=release.commit,
        links=release.history[-1].links if release.history else {},
    )


def tell(
    release: Release, event: Event, text: str, at: datetime, subject: str = "", occasion: str = ""
) -> Release:
    """The release with that message in its outbox, if its config wants it."""
    if event not in release.config.notifications.events:
        return release
    return release.tell(compose(release, event, text, at, subject, occasion))


def metrics_text(metrics: Mapping[str, float]) -> str:
    """The metrics that matter first, in one line."""
    first = [name for name in _FIRST_METRICS if name in metrics]
    rest = sorted(set(metrics) - set(first))
    shown = (first + rest)[:MAX_SHOWN_METRICS]
    return ", ".join(f"{name} {metrics[name]:.4g}" for name in shown) or "no metrics were logged"

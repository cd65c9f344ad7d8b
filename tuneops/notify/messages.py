"""What people are told, and in which words. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from tuneops.config import Event
from tuneops.evaluation.checks import Check
from tuneops.message import Message
from tuneops.release import Release

_TITLES: Mapping[Event, str] = {
    "queued": "release {n} is queued",
    "submitted": "release {n} is training",
    "trained": "release {n} is trained",
    "shifting": "release {n} gets its first traffic",
    "live": "release {n} is live",
    "failed": "release {n} failed",
    "torn_down": "torn down",
    "held": "release {n} is held up",
    "drifted": "release {n} has drifted",
    "newer_base_model": "the base model has a newer version",
    "pinned": "is pinned",
    "unpinned": "is not pinned any more",
    "awaits_approval": "release {n} waits for approval",
    "approved": "release {n} is approved",
    "suspended": "is suspended",
    "resumed": "is resumed",
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


def tell_of_git(
    release: Release, event: Event, text: str, at: datetime, commit: str, occasion: str = ""
) -> Release:
    """As `tell`, of a commit that is not the release's own."""
    if event not in release.config.notifications.events:
        return release
    told = compose(release, event, text, at, occasion=f"{occasion}{commit}")
    return release.tell(told.replace(commit=commit))


def tell(
    release: Release, event: Event, text: str, at: datetime, subject: str = "", occasion: str = ""
) -> Release:
    """The release with that message in its outbox, if its config wants it."""
    if event not in release.config.notifications.events:
        return release
    return release.tell(compose(release, event, text, at, subject, occasion))


def shown_metrics(metrics: Mapping[str, float]) -> list[str]:
    """The names of some metrics, those that matter first."""
    first = [name for name in _FIRST_METRICS if name in metrics]
    rest = sorted(set(metrics) - set(first))
    return (first + rest)[:MAX_SHOWN_METRICS]


def metrics_text(metrics: Mapping[str, float], checks: Iterable[Check] = ()) -> str:
    """The metrics that matter first, in one line; those compared with the live model say how."""
    changes = {check.metric: check.change for check in checks if check.live is not None}
    shown = shown_metrics(metrics)
    figures = (f"{name} {metrics[name]:.4g}{changes.get(name, '')}" for name in shown)
    return ", ".join(figures) or "no metrics were logged"

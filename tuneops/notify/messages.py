"""What people are told of a release. Pure."""

from collections.abc import Mapping
from datetime import datetime

from tuneops.config import Event
from tuneops.loss_curves import loss_curves
from tuneops.message import Message, Severity
from tuneops.notify.figures import metrics_text as metrics_text  # as others know it
from tuneops.notify.figures import shown_metrics as shown_metrics  # as others know it
from tuneops.notify.links import of_release
from tuneops.notify.model import model_text
from tuneops.notify.plain import fitted
from tuneops.notify.why import why as why_text
from tuneops.release import Release

_TITLES: Mapping[Event, str] = {
    "queued": "release {n} is queued",
    "submitted": "release {n} is training",
    "trained": "release {n} is trained",
    "shifting": "release {n} gets its first traffic",
    "live": "release {n} is live",
    "failed": "release {n} failed",
    "aborted": "the rollout of release {n} is given up",
    "torn_down": "torn down",
    "held": "release {n} is held up",
    "drifted": "release {n} has drifted",
    "healed": "release {n} is as it should be again",
    "newer_base_model": "the base model has a newer version",
    "pinned": "is pinned",
    "unpinned": "is not pinned any more",
    "awaits_approval": "release {n} waits for approval",
    "approved": "release {n} is approved",
    "suspended": "is suspended",
    "resumed": "is resumed",
}
_SEVERITIES: Mapping[str, Severity] = {
    "failed": "error",
    "aborted": "warning",
    "held": "warning",
    "drifted": "warning",
    "pinned": "warning",
    "awaits_approval": "warning",
    "suspended": "warning",
}
"""Of the events that somebody may have to do something about; the others are for information."""
_DRAWN = ("trained", "live", "failed")
"""The events whose messages have the courses of the losses."""


def compose(
    release: Release,
    event: Event,
    text: str,
    at: datetime,
    subject: str = "",
    occasion: str = "",
    *,
    why: str = "",
    figure: str = "",
    following: str = "",
) -> Message:
    """The message that tells of `event`.

    `subject` tells several of one kind apart; `occasion` does so without being shown. `why` is what
    led to the event, if that is not what led to the release.
    """
    title = f"{release.project}: {_TITLES[event].format(n=release.number)}"
    told = Message(
        key=":".join(
            filter(None, (release.project, str(release.number), event, subject, occasion))
        ),
        event=event,
        phase=release.phase,
        title=f"{title}: {subject}" if subject else title,
        text=text,
        at=at,
        commit=release.commit,
        links=of_release(release),
        severity=_SEVERITIES.get(event, "info"),
        project=release.project,
        release=release.number,
        model=model_text(release),
        why=why or why_text(release),
        figure=figure,
        following=following,
        curves=loss_curves(release) if event in _DRAWN else (),
        channels=release.config.notifications.channels,
    )
    return fitted(told)


def tell(
    release: Release,
    event: Event,
    text: str,
    at: datetime,
    subject: str = "",
    occasion: str = "",
    **said: str,
) -> Release:
    """The release with that message in its outbox, if its config wants it."""
    if event not in release.config.notifications.events:
        return release
    return release.tell(compose(release, event, text, at, subject, occasion, **said))


def tell_of_git(
    release: Release,
    event: Event,
    text: str,
    at: datetime,
    commit: str,
    occasion: str = "",
    only: str = "",
    **said: str,
) -> Release:
    """As `tell`, of a commit that is not the release's own; `only` names a channel, if not all."""
    if event not in release.config.notifications.events:
        return release
    told = compose(release, event, text, at, occasion=f"{occasion}{commit}{only}", **said)
    return release.tell(told.replace(commit=commit, only=only))

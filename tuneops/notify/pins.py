"""Pins to an earlier release, as people are told of them."""

from datetime import datetime

from tuneops.gitops.commit_status import CommitStatusChannel
from tuneops.gitops.deployment_channel import DeploymentChannel
from tuneops.notify import following
from tuneops.notify.messages import tell_of_git
from tuneops.orders import Pin
from tuneops.release import Release


def pinned(release: Release, pin: Pin, text: str, now: datetime, commit: str) -> Release:
    """What git says at the commit is not acted on."""
    return tell_of_git(
        release,
        "pinned",
        text,
        now,
        commit,
        pin.id,
        why=_why(pin),
        following=following.pinned(release.project),
    )


def unpinned(release: Release, pin: Pin, text: str, now: datetime, commit: str) -> Release:
    """Git is followed again."""
    after = "what git says and the newest data are followed again"
    return tell_of_git(
        release, "unpinned", text, now, commit, pin.id, why=_why(pin), following=after
    )


def live_again(release: Release, pin: Pin, text: str, now: datetime, commit: str) -> Release:
    """The commit that agrees with the pin is live with it: GitHub is told, people know it."""
    for channel in (CommitStatusChannel.id, DeploymentChannel.id):
        release = tell_of_git(release, "live", text, now, commit, pin.id, channel)
    return release


def _why(pin: Pin) -> str:
    reason = f": {pin.reason}" if pin.reason else ""
    return f"pinned to release {pin.release} by {pin.by}{reason}"

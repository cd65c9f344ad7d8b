"""Whether people are reached. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from tuneops.doctor.finding import Finding, failed, ok


class ChannelHealth(Protocol):
    """A channel: since when it takes nothing, what it said last, and how much waits for it."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def failing_since(self) -> datetime | None:
        """Since when every try was in vain."""

    @property
    def error(self) -> str:
        """What it said last, without secrets."""

    @property
    def waiting(self) -> int:
        """The messages that it has not taken."""


def judge(channels: Iterable[ChannelHealth]) -> list[Finding]:
    """One finding for each channel."""
    found = [_judged(each) for each in channels]
    return found or [ok("channels.delivery", "nobody was written to yet")]


def _judged(channel: ChannelHealth) -> Finding:
    check = "channels.delivery"
    if channel.failing_since is None:
        return ok(check, "takes messages", channel.name)
    mend = (
        "see that its address and secret are right (TUNEOPS_CHANNELS, TUNEOPS_NOTIFY_URLS) and "
        "that its service takes messages from the app's network"
    )
    since = f"{channel.failing_since:%Y-%m-%d %H:%M} UTC"
    said = f"takes nothing since {since}, {channel.waiting} waiting: {channel.error}"
    return failed(check, said, mend, channel.name)

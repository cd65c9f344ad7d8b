"""The channels that a project chooses by name, held against those that there are. Pure."""

from collections.abc import Collection
from difflib import get_close_matches

from tuneops.config import ProjectConfig


def unknown_channel(config: ProjectConfig, known: Collection[str]) -> str:
    """What is wrong with `notifications.channels`; empty if all of them are known."""
    unknown = [name for name in config.notifications.channels or () if name not in known]
    if not unknown:
        return ""
    near = get_close_matches(unknown[0], known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"notifications.channels: TUNEOPS_CHANNELS has no channel {unknown[0]!r}{hint}"

"""What an event has led to, in words. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuneops.events.record import Effect
from tuneops.phase import Phase

MAX_NAMED = 10

Standing = tuple[int, Phase] | None
"""A project's newest release and its phase."""


@dataclass(frozen=True)
class Led:
    """What a look has come to that an event led to."""

    effect: Effect
    why: str
    release: int | None = None


def led(before: Standing, after: Standing, steps: int, *, again: bool = False) -> Led:
    """What a look at a project has come to that has taken so many steps.

    `again`: an earlier look for the same event has worked on the release, and could not say so.
    """
    if after is None:
        return Led("merged", "there is no release yet, and nothing to begin one with")
    number, phase = after
    if before is None or before[0] != number:
        return Led("acted", f"release {number} began, and is {phase} now", number)
    if before[1] != phase:
        return Led("acted", f"release {number} came from {before[1]} to {phase}", number)
    if steps:
        return Led("acted", f"release {number} is {phase}, and was worked on", number)
    if again:
        return Led("acted", f"release {number} is {phase}; a look cut short worked on it", number)
    return Led("merged", f"release {number} is {phase}, and nothing had to be done", number)


def read_led(commit: str, changed: Sequence[str], *, policy: bool, again: bool = False) -> Led:
    """What reading a repository has come to: these projects have changed, or the policy has.

    `again`: an earlier reading for the same event has found changes, and could not say so.
    """
    found = [*changed[:MAX_NAMED], *(["..."] if len(changed) > MAX_NAMED else ())]
    found += ["the policy"] if policy else []
    at = f"commit {commit[:12]}" if commit else "no commit"
    if found:
        return Led("acted", f"{at} changes {', '.join(found)}")
    if again:
        return Led("acted", f"{at} is known; a reading cut short found its changes")
    return Led("merged", f"{at} changes nothing that was not known")

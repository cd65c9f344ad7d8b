"""What is desired while a project is pinned to an earlier release. Pure."""

from tuneops.desired import ABOUT_RELEASES, Desired
from tuneops.orders import Pin
from tuneops.release import Release


def pinned(git: Desired, target: Release) -> Desired:
    """What `target` was made of, and its very model.

    What git says of all releases goes on to hold, but for what would be in the way of an
    emergency: it waits neither for a release under way nor for the end of a suspension.
    """
    about = git.config or git.removed or target.config
    kept = {name: getattr(about, name) for name in ABOUT_RELEASES}
    config = target.config.model_copy(update={**kept, "suspend": False, "in_flight": "cancel"})
    return Desired(
        project=git.project,
        commit=target.commit,
        path=target.path or git.path,
        config=config,
        source=target.source,
        adopts=target.number,
    )


def agrees(git: Desired, held: Desired) -> bool:
    """Whether git and the newest data want what the project is held at.

    A config that follows the newest base model never does: what it means changes without git.
    """
    follows = git.config is not None and git.config.model.follow == "latest"
    return git.fingerprint == held.fingerprint and not follows


def mark(pin: Pin, git: Desired) -> str:
    """What everybody is to see while the pin lasts."""
    if git.config is None:
        return f"{pin}; that {git.path} was removed from git is not acted on"
    data = f" with data {git.source.name}" if git.source else ""
    return f"{pin}; {git.path} at {git.commit[:8]}{data} is not acted on"


def rejection(pin: Pin, release: Release) -> str:
    """Why a release that a pin has moved away from does not come back by itself."""
    why = f": {pin.reason}" if pin.reason else ""
    return (
        f"release {release.number} was rolled back to release {pin.release} by {pin.by} on "
        f"{pin.at:%Y-%m-%d %H:%M} UTC{why}"
    )


def still_rejected(project: str, why: str) -> str:
    """What everybody is to see while git wants what was rolled back."""
    return f"{why}; change the config or the data, or run 'tuneops retry {project}'"

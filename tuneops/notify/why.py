"""Who or what led to a release, in one line. Pure."""

from tuneops.cause import Brought, Cause
from tuneops.desired import Desired, fingerprint
from tuneops.orders import Orders
from tuneops.release import Release

SHORT = 7
"""So many characters of a commit's id are shown."""


def cause_of(desired: Desired, before: Release | None, orders: Orders) -> Cause:
    """What leads to a release of `desired`; `before` is the project's newest until then."""
    config, data = True, True
    if before and desired.config:
        config = fingerprint(before.config, None) != fingerprint(desired.config, None)
        data = before.source != desired.source
    return Cause(
        brought=desired.brought,
        config=config,
        data=data,
        order=_order(desired, before, orders, same=not (config or data)),
    )


def why(release: Release) -> str:
    """Why there is this release."""
    cause = release.cause or Cause(config=True, data=True)
    if cause.order:
        return cause.order
    parts = [_commit(cause.brought, release.commit)] if cause.config else []
    if cause.data:
        parts.append(_data(release))
    return "; ".join(parts) or "the same config and data once more"


def commit_text(brought: Brought) -> str:
    """A commit as people know it: its id, what it says first, its author."""
    subject = f' "{brought.subject}"' if brought.subject else ""
    author = f" by {brought.author}" if brought.author else ""
    return f"commit {brought.commit[:SHORT]}{subject}{author}"


def _order(desired: Desired, before: Release | None, orders: Orders, *, same: bool) -> str:
    """Who ordered it, or what else let it begin where neither config nor data is new."""
    pin, retry = orders.pin, orders.retry
    if desired.adopts is not None:
        reason = f": {pin.reason}" if pin and pin.reason else ""
        by = f" by {pin.by}" if pin else ""
        return f"pinned to release {desired.adopts}{by}{reason}"
    if before is None or not same:
        return ""
    if retry and retry.release == before.number:
        return f"tried again by {retry.by}, after release {before.number}"
    if before.forbidden:
        return "the policy allows it now"
    follows = desired.config is not None and desired.config.model.follow == "latest"
    return "the base model has a newer version" if follows and before.phase.settled else ""


def _commit(brought: Brought | None, commit: str) -> str:
    return commit_text(brought or Brought(commit=commit))


def _data(release: Release) -> str:
    """The data with its training rows, once they are counted."""
    kind = "upload" if release.config.data.source == "upload" else "data"
    rows = f", {release.data.train_rows:,} rows to train on" if release.data else ""
    return f"{kind} {release.source.name}{rows}"

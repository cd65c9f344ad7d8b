"""What is wanted of a preview: by what config, and for how long. Pure."""

from dataclasses import replace
from datetime import datetime

from tuneops.actions import Effect, Idle, Wait
from tuneops.config import Identity, Notifications, ProjectConfig
from tuneops.desired import Desired
from tuneops.names import family, preview_key
from tuneops.previews.terms import Terms
from tuneops.rollout.settings import Rollout


def preview_of(
    asked: Desired, config: ProjectConfig, tracked: ProjectConfig | None, author: str, terms: Terms
) -> Desired:
    """What a pull request's preview is to be; `tracked` is the config of the tracked branch.

    It has one instance, no part in what is live, and who may call it and what it may read is as
    on the tracked branch: that is for a merge to change.
    """
    endpoint = (tracked or config).endpoint.model_copy(update={"name": None})
    if tracked is None:
        endpoint = endpoint.model_copy(update={"identity": Identity()})
    identity = tracked.compute.identity if tracked else None
    compute = config.compute.model_copy(update={"identity": identity})
    if compute.cluster:
        known = tracked.compute.cluster if tracked else None
        bounds = {"min_instances": 0, "identity": known.identity if known else None}
        compute = compute.model_copy(update={"cluster": compute.cluster.model_copy(update=bounds)})
    changes = {
        "endpoint": endpoint,
        "compute": compute,
        "deployment": config.deployment.model_copy(update={"instance_count": 1, "autoscale": None}),
        "rollout": Rollout(keep_previous=0),
        "notifications": Notifications(),
        "in_flight": "cancel",
        "on_removal": "delete",
        "drift": "heal",
        "deletion_protection": False,
        "preview": None,
    }
    return Desired(
        project=preview_key(family(asked.project), terms.number),
        commit=asked.commit,
        path=asked.path,
        config=config.model_copy(update=changes),
        by=author,
        preview=terms,
    )


def remembered(known: Desired | None, wanted: Desired) -> Desired:
    """What is stored of it: the commit changes only when the config does."""
    if known and (known.config, known.path) == (wanted.config, wanted.path):
        return known.replace(preview=wanted.preview, by=wanted.by)
    return wanted


def ended(known: Desired, why: str, *, closed: bool = False, merged: bool = False) -> Desired:
    """The same once nobody wants it any more."""
    if known.preview is None:
        return known
    closed, merged = closed or known.preview.closed, merged or known.preview.merged
    terms = known.preview.replace(over=why, closed=closed, merged=merged)
    removed = known.config or known.removed
    return known.replace(config=None, source=None, removed=removed, preview=terms)


def at_its_time(desired: Desired, now: datetime) -> Desired:
    """What is desired now; nothing, of a preview whose time is over."""
    terms = desired.preview
    if terms is None or desired.config is None or now < terms.until:
        return desired
    return ended(desired, f"its time was over at {terms.until:%Y-%m-%d %H:%M} UTC")


def bounded(action: Effect | Wait | Idle, desired: Desired, now: datetime) -> Effect | Wait | Idle:
    """The action; what waits without an end is looked at when the preview's time is over."""
    terms = desired.preview
    if terms is None or desired.config is None:
        return action
    left = (terms.until - now).total_seconds()
    if isinstance(action, Idle):
        return Wait(f"{action.reason}, until {terms.until:%Y-%m-%d %H:%M} UTC", left)
    if isinstance(action, Wait) and action.seconds is not None:
        return replace(action, seconds=min(action.seconds, left))
    return action

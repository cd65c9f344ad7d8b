"""What was live before is kept for a while: going back to it needs no machines. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from tuneops.actions import Wait
from tuneops.observed import SUCCEEDED, Deployment, Endpoint, Observed
from tuneops.rollout.settings import Rollout

KEPT = "what is superseded is kept for a while"

Kept = Mapping[str, datetime]
"""Until when a deployment is kept, by ENDPOINT/DEPLOYMENT."""


def kept(rollout: Rollout, observed: Observed, now: datetime) -> Kept:
    """The newest of what was live before, as many as the config says, while their time lasts."""
    there = _ready(observed)
    lasts = timedelta(minutes=rollout.keep_previous_for_minutes)
    newest = [each for each in observed.previous if each.deployment in there]
    until = {each.deployment: each.at + lasts for each in newest[: rollout.keep_previous]}
    return {name: end for name, end in until.items() if now < end}


def dispensable(observed: Observed, spared: Kept) -> list[Deployment]:
    """Deployments of ours without traffic that are not kept."""
    endpoint = observed.endpoint.name if observed.endpoint else ""
    return [each for each in observed.dispensable if f"{endpoint}/{each.name}" not in spared]


def serves_kept(endpoint: Endpoint, spared: Kept) -> bool:
    """Whether something behind the endpoint is kept."""
    return any(name.startswith(f"{endpoint.name}/") for name in spared)


def wait(spared: Kept, now: datetime) -> Wait | None:
    """The wait for the end of what is kept; None when nothing is."""
    if not spared:
        return None
    return Wait(KEPT, (min(spared.values()) - now).total_seconds())


def _ready(observed: Observed) -> set[str]:
    """What could take the traffic again, behind the endpoint or one of an earlier name."""
    return {
        f"{endpoint.name}/{each.name}"
        for endpoint in filter(None, (observed.endpoint, *observed.stale_endpoints))
        for each in endpoint.deployments
        if each.release and each.state == SUCCEEDED
    }

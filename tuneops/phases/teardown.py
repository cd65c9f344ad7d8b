"""What is taken down, and when. Pure."""

from datetime import datetime, timedelta

from tuneops.actions import (
    Action,
    Advance,
    CancelJob,
    DeleteAutoscale,
    DeleteDeployment,
    DeleteEndpoint,
    Idle,
    ReleaseNodes,
    Wait,
)
from tuneops.desired import Desired
from tuneops.drift import is_known
from tuneops.observed import DELETING, SUCCEEDED, Deployment, Endpoint, Observed
from tuneops.patience import SLOW
from tuneops.phases import keeping
from tuneops.release import Phase, Release
from tuneops.rollout.steps import take_back

LOOKS_AGAIN = timedelta(hours=1)
GOING = "superseded deployments are going"


def retire(desired: Desired, release: Release | None, observed: Observed) -> Action:
    """The config file is gone from git: take down what serves, keep models and data."""
    if release is None or release.phase == Phase.RETIRED:
        return Idle("the config is not in git")
    if back := take_back(release, observed):
        return back
    last = desired.removed or release.config
    if last.deletion_protection:
        return Wait(
            f"{desired.path} was removed from git, but has deletion_protection: put it back and "
            "set that to false first",
            LOOKS_AGAIN.total_seconds(),
            patience=timedelta(0),
        )
    if job_to_cancel(release, observed):
        return CancelJob()
    seen = (observed.endpoint, *observed.stale_endpoints)
    endpoints = [e for e in seen if e and is_known(release, e)]
    if endpoints and last.on_removal == "delete":
        return delete_endpoint(endpoints[0])
    if observed.endpoint is None and (gone := left_over(observed)):
        return gone
    cluster = observed.cluster
    if cluster and cluster.ours and cluster.min_nodes and cluster.state == SUCCEEDED:
        return ReleaseNodes()
    kept = f"; endpoint {endpoints[0].name} is retained" if endpoints else ""
    over = desired.preview.over if desired.preview else "the config was removed from git"
    return Advance(Phase.RETIRED, f"{over}{kept}")


def failed(release: Release, observed: Observed, now: datetime) -> Action:
    """Its deployment goes in its time, what the live one has superseded in that one's.

    What was live before and is kept is its own only if it has made that itself. The failed one may
    be the live one, which could not be deployed again: what was before is wanted all the more then.
    """
    keep = timedelta(minutes=release.config.rollout.keep_failed_for_minutes)
    until = (release.entered(Phase.FAILED) or now) + keep
    kept = f"{release.reason}; its deployment is kept until {until:%Y-%m-%d %H:%M} UTC"
    name = release.deployment_name if release.training else ""
    number = str(release.number)
    keeper = release if observed.live_release == release.number else observed.live
    spared = keeping.kept(keeper.config.rollout, observed, now) if keeper else {}
    going = keeping.dispensable(observed, spared)
    own = [
        d for d in observed.dispensable if d.name == name and (d in going or d.release == number)
    ]
    others = [d for d in going if d.name != name]
    found = (
        tear_down(own, [], until, now, kept),
        tear_down(others, [], now, now, ""),
        keeping.wait(spared, now),
    )
    due = [action for action in found if action]
    return min(due, key=_pause) if due else Idle(release.reason)


def tear_down(
    doomed: list[Deployment], stale: list[Endpoint], until: datetime, now: datetime, kept: str
) -> Action | None:
    """From `until` on, delete deployments without traffic and endpoints of old names."""
    if not doomed and not stale:
        return None
    if now < until:
        return Wait(kept, (until - now).total_seconds())
    for deployment in doomed:
        if deployment.settled:
            return DeleteDeployment(deployment.name)
    if stale:
        return delete_endpoint(stale[0])
    return Wait(GOING, patience=SLOW)


def left_over(observed: Observed) -> Action | None:
    """Delete the autoscale settings of deployments that have gone: Azure leaves them."""
    endpoint = observed.endpoint
    there = {each.name.lower() for each in endpoint.deployments} if endpoint else set()
    gone = (each.deployment for each in observed.scalings if each.deployment.lower() not in there)
    return next((DeleteAutoscale(name) for name in gone), None)


def delete_endpoint(endpoint: Endpoint) -> Action:
    """Delete the endpoint once."""
    if endpoint.state == DELETING:
        return Wait(f"endpoint {endpoint.name} is being deleted", patience=SLOW)
    return DeleteEndpoint(endpoint.name)


def job_to_cancel(release: Release, observed: Observed) -> bool:
    """Whether a job of the release alone still runs that nobody has cancelled."""
    return (
        bool(release.active_job)
        and not release.cancelled_job
        and not observed.shares_job
        and observed.job is not None
        and observed.job.running
    )


def _pause(action: Action) -> float:
    """The seconds that an action waits, none for what is to be done now."""
    return (action.seconds or 0.0) if isinstance(action, Wait) else -1.0

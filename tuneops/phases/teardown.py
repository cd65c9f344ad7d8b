"""What is taken down, and when. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from tuneops import names
from tuneops.actions import (
    Action,
    Advance,
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
    over = desired.preview.over if desired.preview else "the config was removed from git"
    if job_to_cancel(release, observed):
        return Advance(Phase.SUPERSEDED, over)
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
        None if own else take_down_old(release, observed, spared),
        _empty(release, observed),
        left_over(observed),
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


def take_down_old(release: Release, observed: Observed, spared: keeping.Kept) -> Action | None:
    """Take down what is behind endpoints of earlier names, but for what is live or kept there."""
    live = observed.live_deployment
    if observed.live_release is not None and not live:
        return None
    for old in _old_endpoints(release, observed):
        if not live.startswith(f"{old.name}/") and not keeping.serves_kept(old, spared):
            return delete_endpoint(old)
        stays = {live, *spared}
        doomed = [each for each in old.superfluous if f"{old.name}/{each.name}" not in stays]
        for deployment in doomed:
            if deployment.settled:
                return DeleteDeployment(deployment.name, old.name)
        if doomed:
            return Wait(GOING, patience=SLOW)
    return None


def _old_endpoints(release: Release, observed: Observed) -> Iterator[Endpoint]:
    """Those of earlier names, and one that has an earlier name again and still its old traffic.

    What serves is none of them, as long as what is live is behind another one.
    """
    stale, own = observed.stale_endpoints, observed.endpoint
    yield from (each for each in stale if is_known(release, each))
    elsewhere = {f"{old.name}/{each.name}" for old in stale for each in old.deployments}
    if own is None or observed.live_deployment not in elsewhere or not is_known(release, own):
        return
    if any(each.release and own.takes_traffic(each.name) for each in own.deployments):
        yield own


def _empty(release: Release, observed: Observed) -> Action | None:
    """Delete the endpoint if nothing has come behind it, and nothing of the project is live there.

    One that is being created is left until it is there: Azure refuses to delete it before.
    """
    endpoint, live = observed.endpoint, observed.live_deployment
    if endpoint is None or endpoint.deployments or names.TAG_KEEP in endpoint.tags:
        return None
    serves = observed.live_release is not None and (
        not live or live.startswith(f"{endpoint.name}/")
    )
    if serves or not is_known(release, endpoint):
        return None
    if endpoint.changing and endpoint.state != DELETING:
        return Wait(f"endpoint {endpoint.name} is {endpoint.state}", patience=SLOW)
    return delete_endpoint(endpoint)


def left_over(observed: Observed) -> Action | None:
    """Delete the autoscale settings of deployments that have gone: Azure leaves them."""
    endpoints = filter(None, (observed.endpoint, *observed.stale_endpoints))
    there = {(e.name.lower(), d.name.lower()) for e in endpoints for d in e.deployments}
    gone = (each for each in observed.scalings if each.key not in there)
    return next((DeleteAutoscale(each.endpoint, each.deployment) for each in gone), None)


def delete_endpoint(endpoint: Endpoint) -> Action:
    """Delete the endpoint once."""
    if endpoint.state == DELETING:
        return Wait(f"endpoint {endpoint.name} is being deleted", patience=SLOW)
    return DeleteEndpoint(endpoint.name)


def job_to_cancel(release: Release, observed: Observed) -> bool:
    """Whether a job of the release alone still runs that nobody has cancelled."""
    return (
        bool(release.running_job)
        and not release.cancelled_job
        and not observed.shares_job
        and observed.job is not None
        and observed.job.running
    )


def _pause(action: Action) -> float:
    """The seconds that an action waits, none for what is to be done now."""
    return (action.seconds or 0.0) if isinstance(action, Wait) else -1.0

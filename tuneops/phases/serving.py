"""Shifting, and being live. Pure."""

from dataclasses import replace
from datetime import datetime

from tuneops import names
from tuneops.actions import (
    Action,
    Advance,
    DeleteDeployment,
    Fail,
    Idle,
    PromoteRelease,
    ReportBaseModel,
    ShiftTraffic,
    Wait,
)
from tuneops.drift import is_known
from tuneops.observed import SUCCEEDED, Deployment, Endpoint, Observed
from tuneops.patience import SLOW
from tuneops.phases import keeping
from tuneops.phases.deploying import await_endpoint
from tuneops.phases.teardown import LOOKS_AGAIN, left_over, tear_down
from tuneops.release import Phase, Release
from tuneops.rollout.approval import refused
from tuneops.rollout.steps import onward


def shift(release: Release, observed: Observed, now: datetime) -> Action:
    """Move the traffic as the rollout says."""
    endpoint = observed.endpoint
    deployment = endpoint.deployment(release.deployment_name) if endpoint else None
    if endpoint is None or deployment is None:
        if release.rollout and release.rollout.aborted:
            return Fail(release.rollout.aborted)
        if rejection := refused(release, observed):
            return rejection
        return Advance(Phase.DEPLOYING, f"deployment {release.deployment_name} has gone")
    if endpoint.state != SUCCEEDED:
        return await_endpoint(release, endpoint)
    if changed := _changed_by_hand(release, observed, endpoint, deployment):
        return changed
    if step := onward(release, observed, endpoint, now):
        return _meanwhile(release, observed, endpoint, step, now)
    if dict(endpoint.traffic) == {release.deployment_name: 100}:
        return Advance(Phase.LIVE, f"all traffic goes to {release.deployment_name}")
    return ShiftTraffic()


def _changed_by_hand(
    release: Release, observed: Observed, endpoint: Endpoint, deployment: Deployment
) -> Action | None:
    """What is no more as it was tested, while people were asked for long, gets no traffic so."""
    over = (release.rollout and release.rollout.aborted) or refused(release, observed)
    if deployment.state == SUCCEEDED or over or _has_traffic(endpoint, deployment.name):
        return None
    said = f"deployment {deployment.name} is {deployment.state}"
    return Advance(Phase.DEPLOYING, said) if deployment.settled else Wait(said, patience=SLOW)


def _has_traffic(endpoint: Endpoint, name: str) -> bool:
    """Whether the deployment gets any, be it mirrored."""
    return endpoint.takes_traffic(name) or bool(endpoint.mirror_traffic.get(name))


def _meanwhile(
    release: Release, observed: Observed, endpoint: Endpoint, step: Action, now: datetime
) -> Action:
    """While people are asked, what is kept no more goes as soon as its time is over.

    Once the release has traffic it stays: a deletion that is under way could keep Azure from giving
    that back.
    """
    name = release.deployment_name
    has_some = _has_traffic(endpoint, name)
    if not isinstance(step, Wait) or has_some or not observed.live_deployment:
        return step
    kept = keeping.kept(release.config.rollout, observed, now)
    for doomed in keeping.dispensable(observed, kept):
        if doomed.name != name and doomed.settled:
            return DeleteDeployment(doomed.name)
    pauses = [each.seconds for each in (step, keeping.wait(kept, now)) if each and each.seconds]
    return replace(step, seconds=min(pauses, default=None))


def live(release: Release, observed: Observed, now: datetime) -> Action:
    """Note that it is live, then take down what it has superseded."""
    serving = f"{release.endpoint}/{release.deployment_name}"
    if observed.live_release != release.number or observed.live_deployment not in ("", serving):
        return PromoteRelease()
    kept = keeping.kept(release.config.rollout, observed, now)
    doomed = [d for d in keeping.dispensable(observed, kept) if d.name != release.deployment_name]
    stale = [
        endpoint
        for endpoint in observed.stale_endpoints
        if is_known(release, endpoint)
        and not keeping.serves_kept(endpoint, kept)
        and names.TAG_KEEP not in endpoint.tags
    ]
    return (
        tear_down(doomed, stale, now, now, "")
        or left_over(observed)
        or _report_newer_base(release, observed)
        or keeping.wait(kept, now)
        or rest(release)
    )


def let_go(release: Release, observed: Observed, now: datetime) -> Action | None:
    """Take down what was live before and is kept no more, while the live one is not the newest."""
    kept = keeping.kept(release.config.rollout, observed, now)
    before = {each.deployment for each in observed.previous}
    doomed = [
        each
        for each in keeping.dispensable(observed, kept)
        if f"{release.endpoint}/{each.name}" in before and each.name != release.deployment_name
    ]
    return tear_down(doomed, [], now, now, "") or keeping.wait(kept, now)


def rest(release: Release) -> Action:
    """Autoscale settings are in no list that a resync sees, so they are looked at now and then."""
    if release.deployment.autoscale:
        return Wait(release.reason, LOOKS_AGAIN.total_seconds())
    return Idle("live")


def has_newer_base(release: Release, observed: Observed) -> bool:
    """Whether the registry has a newer base model than the one that was trained."""
    newest, training = observed.newest_base_model, release.training
    return bool(newest) and training is not None and newest != training.base_model


def _report_newer_base(release: Release, observed: Observed) -> Action | None:
    if has_newer_base(release, observed) and (
        release.reported_base_model != observed.newest_base_model
    ):
        return ReportBaseModel(observed.newest_base_model)
    return None

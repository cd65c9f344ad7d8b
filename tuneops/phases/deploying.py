"""Deploying: the endpoint and the deployment behind it. Pure."""

from datetime import datetime

from tuneops.actions import (
    Action,
    Advance,
    CreateDeployment,
    CreateEndpoint,
    DeleteDeployment,
    Fail,
    RepairDeployment,
    RepairEndpoint,
    UpdateEndpoint,
    Wait,
)
from tuneops.drift import is_known
from tuneops.observed import SUCCEEDED, Deployment, Endpoint, Observed
from tuneops.patience import SLOW
from tuneops.phases.teardown import GOING
from tuneops.release import Phase, Release

MAX_REPAIRS = 2


def deploy(release: Release, observed: Observed, now: datetime) -> Action:
    """The endpoint and the deployment behind it, without traffic."""
    endpoint = observed.endpoint
    if endpoint is None:
        return CreateEndpoint()
    if not is_known(release, endpoint):
        return Fail(f"endpoint {endpoint.name} exists and was not created by this project")
    if endpoint.state != SUCCEEDED:
        return await_endpoint(release, endpoint)
    if _differs(endpoint, release):
        return UpdateEndpoint()
    deployment = endpoint.deployment(release.deployment_name)
    if deployment is None:
        return _make_room(observed) or CreateDeployment()
    serves = endpoint.takes_traffic(deployment.name) or (
        f"{endpoint.name}/{deployment.name}" == observed.live_deployment
    )
    return _await_deployment(release, deployment, serves=serves)


def await_endpoint(release: Release, endpoint: Endpoint) -> Action:
    """Wait for the end of a change of the endpoint; what Azure failed at is done again."""
    if not endpoint.broken:
        return Wait(f"endpoint {endpoint.name} is {endpoint.state}", patience=SLOW)
    if release.repairs < MAX_REPAIRS:
        return RepairEndpoint()
    return Fail(
        f"endpoint {endpoint.name} is {endpoint.state}: see why in the studio, then repair or "
        "delete it, or set endpoint.name to another name"
    )


def _make_room(observed: Observed) -> Action | None:
    """Before a deployment is added, those without traffic go: they take quota for nothing.

    What is live stays, whoever took its traffic away: the new one may fail.
    """
    for deployment in observed.dispensable:
        if deployment.settled:
            return DeleteDeployment(deployment.name)
    return Wait(GOING, patience=SLOW) if observed.dispensable else None


def _differs(endpoint: Endpoint, release: Release) -> bool:
    """Whether the endpoint has other settings than the config, or has lost tags of ours."""
    wanted = release.config.endpoint
    settings = (endpoint.auth_mode, endpoint.public_network_access)
    tags = {name.lower(): value for name, value in endpoint.tags.items()}
    same = settings == (wanted.auth_mode, wanted.public_network_access)
    return (
        bool(endpoint.lost_tags)
        or not same
        or any(tags.get(name.lower()) != value for name, value in wanted.tags.items())
    )


def _await_deployment(release: Release, deployment: Deployment, *, serves: bool) -> Action:
    """What failed under an earlier release goes, unless it `serves` all the same."""
    if not deployment.settled:
        return Wait(f"deployment {deployment.name} is {deployment.state}", patience=SLOW)
    if deployment.state == SUCCEEDED:
        return Advance(Phase.TESTING, f"deployment {deployment.name} is ready")
    if deployment.release != str(release.number) and not serves:
        return DeleteDeployment(deployment.name)
    if (deployment.transient or serves) and release.repairs < MAX_REPAIRS:
        return RepairDeployment()
    return Fail(f"deployment {deployment.name} failed: {deployment.error or 'no reason given'}")
